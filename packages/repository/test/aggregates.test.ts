import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { PrismaPg } from '@prisma/adapter-pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { aggregates } from '../src/aggregates/index.ts'
import { BaseRepository } from '../src/index.ts'
import { softDelete } from '../src/soft-delete/index.ts'
import { fragment, fragments, sql } from '../src/sql/index.ts'
import { type Extras, openExtras } from './support/extras.ts'

let extras: Extras
beforeAll(async () => {
  extras = await openExtras({ use: [softDelete()] })
})
afterAll(() => extras.close())
beforeEach(async () => {
  await extras.db.sql.query('TRUNCATE reading, folder RESTART IDENTITY CASCADE')
  await extras.db.reading.createMany({
    data: [1, 2, 3, null].map((level, index) => ({
      level,
      station: index < 2 ? 'a' : 'b',
      at: new Date(index),
    })),
  })
  await extras.db.folder.create({
    data: { path: '/', children: { create: [{ path: '/a' }, { path: '/b' }] } },
  })
})

const readings = () => new BaseRepository(extras.db, 'reading')
const folders = () => new BaseRepository(extras.db, 'folder')

describe('aggregates', () => {
  it('aggregate and groupBy give what Prisma gives', async () => {
    const { aggregate, groupBy } = aggregates(readings())
    expect(await aggregate({ _sum: { level: true }, _count: true, where: { id: { gt: 1 } } })).toEqual({
      _sum: { level: 5 },
      _count: 3,
    })
    expect(await groupBy({ by: ['station'], _max: { level: true }, orderBy: { station: 'asc' } })).toEqual([
      { station: 'a', _max: { level: 2 } },
      { station: 'b', _max: { level: 3 } },
    ])
  })

  it('relationCounts are in the order of the ids, with null for a missing row and without deleted rows', async () => {
    const { relationCounts } = aggregates(folders())
    expect(await relationCounts([2, 99, 1, 1], { children: true })).toEqual([
      { children: 0 },
      null,
      { children: 2 },
      { children: 2 },
    ])
    expect(await relationCounts([1], { children: { where: { path: '/a' } }, documents: true })).toEqual([
      { children: 1, documents: 0 },
    ])
    await folders().delete(2)
    expect(await relationCounts([1], { children: true })).toEqual([{ children: 1 }])
    await expect(relationCounts([1], {})).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
  })

  it('pass the interceptors of a view', async () => {
    const seen: string[] = []
    const view = readings().with({
      name: 'seen',
      stage: 'observe',
      intercept: (operation, next) => {
        seen.push(operation.action)
        return next(operation)
      },
    })
    await aggregates(view).aggregate({ _count: true })
    await sql(view).query`SELECT 1`
    expect(seen).toEqual(['aggregate', 'sqlQuery'])
  })
})

describe('sql', () => {
  it('takes values as parameters and names as fragments', async () => {
    const { query, execute, table, column, columns } = sql(readings())
    const evil = `'; DROP TABLE reading; --`
    expect(await query`SELECT ${evil} AS text`).toEqual([{ text: evil }])
    const low = fragment`${column('level')} < ${3}`
    expect(await query`SELECT ${columns('id', 'station')} FROM ${table} WHERE ${low} ORDER BY id`).toEqual([
      { id: 1, station: 'a' },
      { id: 2, station: 'a' },
    ])
    expect(await query`SELECT id FROM ${table} WHERE id IN (${fragments([1, 4, 9])}) ORDER BY id`).toEqual([
      { id: 1 },
      { id: 4 },
    ])
    const both = fragments([fragment`id > ${1}`, low], { separator: fragment`AND` })
    expect(await execute`UPDATE ${table} SET station = ${'c'} WHERE ${both}`).toBe(1)
    expect(Object.keys((await query`SELECT ${columns()} FROM ${table}`)[0] ?? {})).toContain('exactAt')
  })

  it('takes no text that was put together', async () => {
    const { query } = sql(readings())
    const text = 'SELECT 1'
    for (const given of [text, [text], Object.assign([text], { raw: [text] })]) {
      await expect(query(given as never)).rejects.toMatchObject({ code: 'DB_REPOSITORY_ARGUMENT' })
    }
    expect(() => fragment(text as never)).toThrow('tagged template')
    expect(() => fragments([])).toThrow('no fragments')
    expect(() => sql(readings()).column('nothing' as 'id')).toThrow('no column')
  })

  it('works on a plain client with metadata of its own, and in its transaction', async () => {
    const plain = new PrismaClient({ adapter: new PrismaPg(extras.db.config.url) })
    const repository = new BaseRepository(plain, 'reading')
    expect(() => sql(repository)).toThrow('as the option metadata')
    await plain.$transaction(async (tx) => {
      const { query, table, columns } = sql(repository.using(tx), { metadata })
      await tx.reading.deleteMany({ where: { id: { gt: 1 } } })
      expect(await query`SELECT ${columns('id', 'exactAt')} FROM ${table}`).toEqual([
        { id: 1, exactAt: null },
      ])
    })
    await plain.$disconnect()
  })

  it('joins the transaction around it, and its failures are classified', async () => {
    const { query, execute, table } = sql(readings())
    const undone = extras.db.transaction(async () => {
      await execute`DELETE FROM ${table}`
      expect(await query`SELECT count(*)::int AS n FROM ${table}`).toEqual([{ n: 0 }])
      throw new Error('undo')
    })
    await expect(undone).rejects.toThrow('undo')
    expect(await query`SELECT count(*)::int AS n FROM ${table}`).toEqual([{ n: 4 }])
    await expect(query`SELECT 1 / ${0}::int`).rejects.toMatchObject({ name: 'DatabaseError' })
  })
})
