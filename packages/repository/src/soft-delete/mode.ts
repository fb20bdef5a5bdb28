import { type DbContext, runInContext } from '@org/db-core'

/** What becomes of deleted rows; absent: they are not there. */
export type Mode =
  /** They are there. */
  | 'with'
  /** Only they are there; what they are related to is there in any case. */
  | 'only'
  /** They are there, and deleting is final. */
  | 'force'
  /** An update brings its row back. */
  | 'restore'

/** Two copies of this package must know each other's. */
const key: unique symbol = Symbol.for('@org/db-repository/deleted')

interface MarkedContext extends DbContext {
  readonly [key]?: Mode | undefined
}

/** The mode of a context. */
export function modeOf(context: DbContext): Mode | undefined {
  return (context as MarkedContext)[key]
}

/** The context in another mode. */
export function inMode(context: DbContext, mode: Mode | undefined): DbContext {
  return { ...context, [key]: mode } as MarkedContext
}

/** Runs `fn` in another mode. */
export function runInMode<T>(mode: Mode | undefined, fn: () => T): T {
  return runInContext({ [key]: mode } as object as DbContext, fn)
}

/** Runs `fn` with deleted rows as if they were not deleted, related ones too. What is deleted inside still can be restored. */
export function withDeleted<T>(fn: () => T): T {
  return runInMode('with', fn)
}

/** Runs `fn` with nothing but deleted rows of the models that it asks for; what these are related to is all there. */
export function onlyDeleted<T>(fn: () => T): T {
  return runInMode('only', fn)
}

/** Runs `fn` with `delete` and `deleteMany` taking rows away for good, as the database does it; sees deleted rows. */
export function forceDelete<T>(fn: () => T): T {
  return runInMode('force', fn)
}
