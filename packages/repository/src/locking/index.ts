export { type Locking, type LockingSetup, type LockOptions, locking, type TakeOptions } from './locking.ts'
export type { LockMode, LockWait } from './locks.ts'
