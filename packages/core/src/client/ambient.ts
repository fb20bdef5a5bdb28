import { AsyncLocalStorage } from 'node:async_hooks'
import { currentContext, type DbContext, restoreContext } from '../context.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** Where a call was made: in which transaction, on whose behalf. */
export interface CallSite {
  readonly scope: TransactionScope | undefined
  readonly context: DbContext
}

/** The transaction that the running code is in, for one database object. */
export interface Ambient {
  scope(): TransactionScope | undefined
  /** The transaction that is being opened; set only while Prisma asks its adapter for one. */
  opening(): TransactionScope | undefined
  /** The batch (`db.$transaction([…])`) whose calls are being started. */
  batch(): TransactionScope | undefined
  capture(): CallSite
  /** Runs `fn` as if at `site`. */
  restore<T>(site: CallSite, fn: () => T): T
  enter<T>(scope: TransactionScope | undefined, fn: () => T): T
  open<T>(scope: TransactionScope, fn: () => T): T
  enterBatch<T>(scope: TransactionScope, fn: () => T): T
}

/** Each database has its own: a transaction of one is none of another. */
export function createAmbient(): Ambient {
  const current = new AsyncLocalStorage<TransactionScope | undefined>()
  const opening = new AsyncLocalStorage<TransactionScope>()
  const batch = new AsyncLocalStorage<TransactionScope>()
  const enter = <T>(scope: TransactionScope | undefined, fn: () => T): T =>
    current.getStore() === scope ? fn() : current.run(scope, fn)
  return {
    scope: () => current.getStore(),
    opening: () => opening.getStore(),
    batch: () => batch.getStore(),
    capture: () => ({ scope: current.getStore(), context: currentContext() }),
    restore: (site, fn) => restoreContext(site.context, () => enter(site.scope, fn)),
    enter,
    open: (scope, fn) => opening.run(scope, fn),
    // The calls of a batch were made outside of it and return to their own sites; only this store stays.
    enterBatch: (scope, fn) => batch.run(scope, fn),
  }
}
