import type { SqlExecutor } from '@org/db-core'
import { type Definitions, migrationFrom } from './definitions.ts'
import { SagaError } from './errors.ts'
import { type Entry, emptyRecord, fold } from './journal.ts'
import type { SagaRow } from './saga-row.ts'

/**
 * The saga at a version that can be run here: as it is where its own is known, else brought forward hook by hook, and
 * stored so. @throws SagaError DB_SAGA_UNKNOWN, DB_SAGA_LEASE_LOST
 */
export async function migrated(row: SagaRow, definitions: Definitions, sql: SqlExecutor): Promise<SagaRow> {
  let { input, version, journal } = row
  for (; !definitions.get(row.name, version); version += 1) {
    const hook = migrationFrom(definitions, row.name, version)
    if (!hook)
      throw new SagaError('DB_SAGA_UNKNOWN', `There is no saga ${row.name} version ${version} here`, {
        saga: row.id,
      })
    const done = [...fold(emptyRecord(), journal).steps.values()].filter(({ state }) => state === 'done')
    const results = Object.fromEntries(done.map(({ name, output }) => [name, output]))
    const change = hook({ input, results })
    if ('input' in change) input = change.input
    journal = journal.map((entry): Entry => {
      const name = change.renamed?.[entry.n] ?? entry.n
      const isResult = entry.k === 'done' || entry.k === 'skip'
      // A new name must not be a new key for the other side.
      const origin = name === entry.n ? {} : { i: entry.i ?? row.id, r: entry.r ?? entry.n }
      const output = isResult && change.results && name in change.results ? { o: change.results[name] } : {}
      return { ...entry, n: name, ...origin, ...output }
    })
  }
  if (version === row.version) return row
  const shape = definitions.get(row.name, version)?.shape ?? null
  const rows = await sql.query(
    `WITH gone AS (DELETE FROM orgdb.saga_page WHERE saga = $1)
     UPDATE orgdb.saga SET version = $3, shape = $4, input = $5::jsonb, journal = $6::jsonb, pages = 0
     WHERE id = $1 AND token = $2 RETURNING id`,
    [row.id, row.token, version, shape, JSON.stringify(input ?? null), JSON.stringify(journal)],
  )
  if (rows.length === 0)
    throw new SagaError('DB_SAGA_LEASE_LOST', 'Another process has the saga', { saga: row.id })
  return { ...row, input, version, journal, shape, pages: 0 }
}
