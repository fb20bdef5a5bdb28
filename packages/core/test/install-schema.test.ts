import { installSchema } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

let database: TestDatabase
let db: TestClient
beforeEach(async () => {
  database = await freshDatabase()
  db = open(database.url)
})
afterEach(async () => {
  await db.close()
  await database.drop()
})

const outbox = {
  name: 'outbox',
  versions: ['CREATE TABLE orgdb.outbox (id bigint); INSERT INTO orgdb.outbox VALUES (1)'],
}
const saga = {
  name: 'saga',
  versions: ['CREATE TABLE orgdb.saga (id bigint)', 'ALTER TABLE orgdb.saga ADD COLUMN state text'],
}

describe('installSchema', () => {
  it('applies what is missing, once', async () => {
    expect(await installSchema(db.sql, [outbox, saga])).toEqual([
      { name: 'outbox', version: 1, applied: 1 },
      { name: 'saga', version: 2, applied: 2 },
    ])
    expect(await installSchema(db.sql, [outbox, saga])).toMatchObject([{ applied: 0 }, { applied: 0 }])
    expect(await db.sql.query('SELECT * FROM orgdb.outbox')).toHaveLength(1)
  })

  it('is safe when ten start together', async () => {
    const others = Array.from({ length: 10 }, () => open(database.url))
    const results = await Promise.all(others.map((each) => installSchema(each.sql, [outbox, saga])))
    await Promise.all(others.map((each) => each.close()))
    expect(results.flat().reduce((sum, { applied }) => sum + applied, 0)).toBe(3)
    expect(await db.sql.query('SELECT * FROM orgdb.outbox')).toHaveLength(1)
  })

  it('leaves nothing of a version that fails', async () => {
    const broken = {
      name: 'saga',
      versions: ['CREATE TABLE orgdb.saga (id bigint)', 'ALTER TABLE orgdb.nothing ADD COLUMN x int'],
    }
    await expect(installSchema(db.sql, [outbox, broken])).rejects.toMatchObject({
      code: 'DB_QUERY',
      sqlState: '42P01',
    })
    expect(await db.sql.query("SELECT 1 FROM pg_namespace WHERE nspname = 'orgdb'")).toEqual([])
  })

  it('refuses a published version that was changed, and a database from the future', async () => {
    await installSchema(db.sql, [saga])
    const changed = { name: 'saga', versions: ['CREATE TABLE orgdb.saga (id int)', saga.versions[1] ?? ''] }
    await expect(installSchema(db.sql, [changed])).rejects.toMatchObject({ code: 'DB_SCHEMA_CHANGED' })
    const older = { name: 'saga', versions: saga.versions.slice(0, 1) }
    await expect(installSchema(db.sql, [older])).rejects.toMatchObject({ code: 'DB_SCHEMA_NEWER' })
  })
})
