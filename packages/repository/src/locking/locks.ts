import type { Access } from '../access.ts'
import { lockRows } from './lock-rows.ts'

/** How strong a lock is. */
export type LockMode =
  /** Nobody else changes, deletes or locks the row. Default. */
  | 'update'
  /** The same, but others may insert rows that refer to it. */
  | 'no-key-update'
  /** Nobody changes or deletes the row; others may lock it in the same way. */
  | 'share'
  /** Nobody deletes the row or changes its key. */
  | 'key-share'

/** What to do where somebody else holds the lock. */
export type LockWait =
  /** Wait; no longer than `lockTimeoutMs` of the transaction. */
  | 'wait'
  /** Reject with DB_LOCK_TIMEOUT. */
  | 'fail'
  /** Do without the row. */
  | 'skip'

/** A kind of lock. */
export interface Lock {
  readonly mode: LockMode
  readonly wait: LockWait
}

/** The row with this id, locked; `null` where it is not there, or held by somebody else and to be skipped. */
export async function lockById(
  access: Access,
  id: unknown,
  lock: Lock,
  selection: object,
): Promise<never | null> {
  const where = access.key.argsFor(id)
  const name = access.key.fields[0] ?? access.key.name
  // Interceptors decide which rows there are, so nothing is locked that they don't show.
  const seen = await access.perform('findUnique', { ...where, select: { [name]: true } })
  if (seen === null || (await lockRows(access, [id], lock)).length === 0) return null
  return access.one(await access.perform('findUnique', access.args(selection, where)))
}
