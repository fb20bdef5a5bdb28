import { testDatabase } from '@org/db-testing'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ForeignKeys, predictEffects } from '../src/plan/locks.ts'
import { readForeignKeys } from '../src/plan/sizes.ts'
import { splitSql } from '../src/sql/index.ts'
import { lockCases, lockSetup } from './lock-cases.ts'

let database: Awaited<ReturnType<typeof testDatabase>>
let client: pg.Client
let foreignKeys: ForeignKeys

beforeAll(async () => {
  database = await testDatabase({ name: 'migrations-locks', setup: lockSetup })
  client = new pg.Client({ connectionString: database.url })
  await client.connect()
  foreignKeys = await readForeignKeys({
    query: async (sql: string) => (await client.query(sql)).rows as never,
  })
})
afterAll(async () => {
  await client.end()
  await database[Symbol.asyncDispose]()
})

const strength = `array_position(ARRAY['AccessShareLock', 'RowShareLock', 'RowExclusiveLock', 'ShareUpdateExclusiveLock',
  'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'], l.mode)`

/** What PostgreSQL really locks, by table, and which tables it writes anew; an emptied table is none. */
async function observe(sql: string) {
  await client.query('BEGIN')
  try {
    const { rows: before } = await client.query<{ oid: number; name: string; file: number }>(
      `SELECT oid, relname AS name, relfilenode AS file FROM pg_class
        WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'm')`,
    )
    await client.query(sql)
    const { rows: locks } = await client.query<{ oid: number; mode: string }>(
      `SELECT DISTINCT ON (l.relation) l.relation AS oid, replace(l.mode, 'Lock', '') AS mode FROM pg_locks l
        WHERE l.pid = pg_backend_pid() AND l.locktype = 'relation' AND l.relation = ANY($1)
        ORDER BY l.relation, ${strength} DESC`,
      [before.map(({ oid }) => oid)],
    )
    const { rows: after } = await client.query<{ oid: number; file: number }>(
      'SELECT oid, relfilenode AS file FROM pg_class',
    )
    const files = new Map(after.map(({ oid, file }) => [oid, file]))
    // What the query of a materialized view reads is in no statement.
    const named = locks.filter(({ mode }) => mode !== 'AccessShare' || !/^REFRESH/.test(sql))
    return Object.fromEntries(
      named.map(({ oid, mode }) => {
        const table = before.find((each) => each.oid === oid)
        const file = files.get(oid)
        return [
          table?.name,
          { lock: mode, rewrites: file !== undefined && file !== table?.file && !/^TRUNCATE/.test(sql) },
        ]
      }),
    )
  } finally {
    await client.query('ROLLBACK')
  }
}

describe('predicted locks', () => {
  it.each(lockCases)('%s', async (sql) => {
    const [statement] = await splitSql(sql)
    const predicted = statement ? predictEffects(statement, foreignKeys) : []
    const effects = predicted.map(({ table, lock, rewrites }) => [table.name, { lock, rewrites }] as const)
    expect(Object.fromEntries(effects)).toEqual(await observe(sql))
  })

  it('are held against enough statements', () => {
    expect(lockCases.length).toBeGreaterThanOrEqual(60)
  })
})
