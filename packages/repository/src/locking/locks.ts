import type { Access } from '../access.ts'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'
import { textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { finder } from '../rows.ts'
import { checkInteger } from '../window.ts'

type Row = Readonly<Record<string, unknown>>

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

const modes: Readonly<Record<LockMode, string>> = {
  update: 'FOR UPDATE',
  'no-key-update': 'FOR NO KEY UPDATE',
  share: 'FOR SHARE',
  'key-share': 'FOR KEY SHARE',
}
const waits: Readonly<Record<LockWait, string>> = { wait: '', fail: ' NOWAIT', skip: ' SKIP LOCKED' }

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
  if (seen === null || (await lockRows(access, [id], lock)).size === 0) return null
  return access.one(await access.perform('findUnique', access.args(selection, where)))
}

/** Which rows to take. */
export interface TakeArgs {
  readonly where?: unknown
  readonly orderBy?: unknown
  readonly limit: number
}

/**
 * Up to `limit` rows that pass the filter, locked. The filter is put again after locking, since who held a row before
 * may have changed it.
 */
export async function takeRows(
  access: Access,
  { where, orderBy, limit, ...selection }: TakeArgs,
  lock: Lock,
): Promise<never[]> {
  checkInteger(`${access.model}.take`, 'limit', limit, 1)
  const { key } = access
  const select = Object.fromEntries(key.fields.map((field) => [field, true]))
  const { find, toItems } = finder(access, selection, key.fields)
  const own = where === undefined ? [] : [where as object]
  const tried: Row[] = []
  const taken: never[] = []
  while (taken.length < limit) {
    const wanted = limit - taken.length
    const untried =
      tried.length > 0
        ? [
            {
              NOT: whereIds(
                tried.map((row) => idOf(row, access)),
                access,
              ),
            },
          ]
        : []
    const candidates = (await access.perform('findMany', {
      where: { AND: [...own, ...untried] },
      ...(orderBy !== undefined && { orderBy }),
      take: wanted,
      select,
    })) as readonly Row[]
    if (candidates.length === 0) break
    tried.push(...candidates)
    const ids = candidates.map((row) => idOf(row, access))
    const locked = await lockRows(access, ids, lock)
    const held = ids.filter((id) => locked.has(textOfKey(valuesOfId(id, key), access)))
    if (held.length > 0) {
      const rows = await find([...own, whereIds(held, access)], [], held.length)
      const items = toItems(rows)
      const byKey = new Map(rows.map((row, index) => [textOfRow(row, access), items[index] as never]))
      for (const id of held) {
        const text = textOfKey(valuesOfId(id, key), access)
        if (byKey.has(text)) taken.push(byKey.get(text) as never)
      }
    }
    if (candidates.length < wanted) break
  }
  return taken
}

function idOf(row: Row, { key }: Access): unknown {
  return key.fields.length === 1 ? row[key.fields[0] ?? ''] : row
}

/** Locks rows in the order of their keys, so that two who lock the same ones don't wait for each other in a circle. */
async function lockRows(
  access: Access,
  ids: readonly unknown[],
  { mode, wait }: Lock,
): Promise<ReadonlySet<string>> {
  const { key, binding, model } = access
  const { database, modelMetadata } = binding
  if (!database || !modelMetadata) {
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `Locks on ${model} need a Database with metadata`)
  }
  if (!database.inTransaction) {
    throw new RepositoryError(
      'DB_REPOSITORY_NO_TRANSACTION',
      `A lock on ${model} ends with its transaction, and there is none: use db.transaction`,
    )
  }
  const columns = key.fields.map((field) => identifier(modelMetadata.fields[field]?.column ?? field))
  const schema = modelMetadata.schema ?? database.config.schema
  const table = [schema, modelMetadata.table].filter((part) => part !== undefined).map(identifier)
  const params: unknown[] = []
  const tuples = ids.map(
    (id) =>
      `(${valuesOfId(id, key)
        .map((value) => `$${params.push(toParam(value))}`)
        .join(', ')})`,
  )
  const list = columns.join(', ')
  const names = columns.map((column, index) => `${column} AS "k${index}"`).join(', ')
  const rows = await database.sql.query(
    `SELECT ${names} FROM ${table.join('.')} WHERE (${list}) IN (${tuples.join(', ')}) ORDER BY ${list} ${modes[mode]}${waits[wait]}`,
    params,
  )
  return new Set(
    rows.map((row) =>
      textOfKey(
        columns.map((_, index) => row[`k${index}`]),
        access,
      ),
    ),
  )
}

/** A value as node-postgres takes it without loss. */
function toParam(value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'object' && value !== null && 'toFixed' in value) {
    return (value as { toFixed(): string }).toFixed()
  }
  return value
}
