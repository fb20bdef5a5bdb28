export { checkInvariants, type Expectations, type Invariant } from './invariants.ts'
export { applyMigrations, readMigrations } from './migrations.ts'
export {
  loadShop,
  type NoOversellOptions,
  type NoOversellResult,
  noOversell,
  type Progress,
} from './no-oversell.ts'
export { formatResult } from './summary.ts'
