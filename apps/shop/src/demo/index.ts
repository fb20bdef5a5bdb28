export type { FightOptions, Progress } from './fight.ts'
export { checkInvariants, type Expectations, type Invariant } from './invariants.ts'
export { applyMigrations, readMigrations } from './migrations.ts'
export {
  loadShop,
  type NoOversellOptions,
  type NoOversellResult,
  noOversell,
} from './no-oversell.ts'
export { formatResult } from './summary.ts'
