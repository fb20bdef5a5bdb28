import { textOf } from '../bulk/field-text.ts'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'
import { type Keyed, valuesOfId } from '../row-key.ts'
import { tableOf } from '../table.ts'
import type { Lock, LockMode, LockWait } from './locks.ts'

const modes: Readonly<Record<LockMode, string>> = {
  update: 'FOR UPDATE',
  'no-key-update': 'FOR NO KEY UPDATE',
  share: 'FOR SHARE',
  'key-share': 'FOR KEY SHARE',
}
const waits: Readonly<Record<LockWait, string>> = { wait: '', fail: ' NOWAIT', skip: ' SKIP LOCKED' }

/**
 * Locks rows and returns the places of those that are locked, in order. Where waiting is possible, in an order of
 * their keys, so that two who lock the same ones don't wait for each other in a circle; else in the order of `ids`,
 * and no more than `limit`.
 */
export async function lockRows(
  keyed: Keyed,
  ids: readonly unknown[],
  { mode, wait }: Lock,
  limit: number = ids.length,
): Promise<readonly number[]> {
  const { binding, key } = keyed
  const { database, modelMetadata, model } = binding
  const metadata = database?.metadata
  if (!database || !metadata || !modelMetadata) {
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `Locks on ${model} need a Database with metadata`)
  }
  if (!database.inTransaction) {
    throw new RepositoryError(
      'DB_REPOSITORY_NO_TRANSACTION',
      `A lock on ${model} ends with its transaction, and there is none: use db.transaction`,
    )
  }
  const columns = key.fields.map((name) => {
    const field = modelMetadata.fields[name]
    return { name: field?.column ?? name, toText: field ? textOf(field, metadata) : String }
  })
  const records = ids.map((id) => {
    const values = valuesOfId(id, key)
    return JSON.stringify(
      Object.fromEntries(columns.map(({ name, toText }, index) => [name, toText(values[index]) ?? null])),
    )
  })
  const places = records.map((_, place) => place)
  if (wait !== 'skip') places.sort((a, b) => ((records[a] ?? '') < (records[b] ?? '') ? -1 : 1))
  const table = tableOf(modelMetadata, database)
  const names = columns.map(({ name }) => identifier(name))
  // A record of the table gives each value the type of its column, so that an index on the key serves.
  const rows = await database.sql.query<{ n: number }>(
    `SELECT u.ordinality::int AS n FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb) WITH ORDINALITY AS u
     JOIN ${table} AS t ON ${names.map((name) => `t.${name} = u.${name}`).join(' AND ')}
     ORDER BY u.ordinality LIMIT $2 ${modes[mode]} OF t${waits[wait]}`,
    [`[${places.map((place) => records[place]).join()}]`, limit],
  )
  return rows.map(({ n }) => places[n - 1] ?? 0).sort((a, b) => a - b)
}
