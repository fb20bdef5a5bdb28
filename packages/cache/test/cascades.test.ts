import { readFile } from 'node:fs/promises'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type CachedDatabase, openCached } from './support/cached-database.ts'

let database: TestDatabase
let opened: CachedDatabase
beforeAll(async () => {
  const read = (name: string) =>
    readFile(new URL(`../../../prisma/migrations/${name}`, import.meta.url), 'utf8')
  const setup = `${await read('0001_init/migration.sql')}\n${await read('0003_tenant/migration.sql')}\n${await read('0005_extras/migration.sql')}`
  database = await testDatabase({ name: 'cache-cascades', setup })
  opened = openCached(database.url)
})
afterAll(async () => {
  await opened?.close()
  await database?.drop()
})

it('a deletion that spreads within its own table is seen in the rows that it reaches', async () => {
  const { db } = opened
  await db.folder.create({ data: { id: 1, path: 'a', children: { create: { id: 2, path: 'a/b' } } } })
  const child = () => db.folder.findUnique({ where: { id: 2 } })
  expect(await child()).toMatchObject({ path: 'a/b' })
  await db.folder.delete({ where: { id: 1 } })
  expect(await child()).toBeNull()
})

it('so is one that only takes the reference away', async () => {
  const { db } = opened
  await db.task.create({ data: { id: 1, tenantId: 't', title: 'whole' } })
  await db.task.create({ data: { id: 2, tenantId: 't', title: 'part', parentId: 1 } })
  const part = () => db.task.findUnique({ where: { id: 2 } })
  expect(await part()).toMatchObject({ parentId: 1 })
  await db.task.delete({ where: { id: 1 } })
  expect(await part()).toMatchObject({ parentId: null })
})
