import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { sharedPostgres, testDatabase } from '../src/index.ts'
import { connection, rows } from './rows.ts'

describe('testDatabase', () => {
  it('gives each caller a database of its own with what setup made', async () => {
    const setup =
      'create table film (id int primary key, title text); insert into film values (1, $$Alien$$);'
    await using one = await testDatabase({ name: 'films', setup })
    await using two = await testDatabase({ name: 'films', setup })
    await rows(one.url, 'delete from film')
    expect(await rows(one.url, 'select * from film')).toEqual([])
    expect(await rows(two.url, 'select * from film')).toEqual([{ id: 1, title: 'Alien' }])
  })

  it('gives an empty database without a template', async () => {
    await using database = await testDatabase()
    const tables = await rows(database.url, "select * from pg_tables where schemaname = 'public'")
    expect(tables).toEqual([])
  })
})

describe('template', () => {
  it('runs setup once for many callers at once', async () => {
    const server = await sharedPostgres()
    let runs = 0
    const setup = async (url: string) => {
      runs++
      await rows(url, 'create table once (n int)')
    }
    const databases = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const template = await server.template({ name: 'once', setup })
        return template.createDatabase()
      }),
    )
    expect(runs).toBe(1)
    expect(new Set(databases.map(({ name }) => name)).size).toBe(5)
    await Promise.all(databases.map((database) => database.drop()))
  })

  it('is another one when the content changes', async () => {
    const server = await sharedPostgres()
    const setup = async () => {}
    const first = await server.template({ name: 'Häuser & more', setup, version: '1' })
    const second = await server.template({ name: 'Häuser & more', setup, version: '2' })
    expect(first.name).not.toBe(second.name)
  })

  it('copies a template although setup left a connection open', async () => {
    const server = await sharedPostgres()
    const setup = async (url: string) => {
      const client = await connection(url)
      await client.query('create table left_open ()')
    }
    const template = await server.template({ name: 'left_open', setup })
    await using database = await template.createDatabase()
    expect(await rows(database.url, 'select * from left_open')).toEqual([])
  })

  it('leaves nothing behind when setup fails, and throws its error', async () => {
    const server = await sharedPostgres()
    const failure = new Error('no migrations found')
    const setup = () => Promise.reject(failure)
    await expect(server.template({ name: 'broken', setup })).rejects.toBe(failure)
    const left = await rows(
      server.url,
      "select datname from pg_database where datname like 'template_broken%'",
    )
    expect(left).toEqual([])
  })
})

describe('drop', () => {
  it('cuts off no connection that is just ending', async () => {
    const database = await testDatabase()
    const client = await connection(database.url)
    const errors: Error[] = []
    client.on('error', (error) => errors.push(error))
    const dropped = database.drop()
    await setTimeout(100)
    await client.end()
    await dropped
    expect(errors).toEqual([])
  })

  it('cuts off what stays connected', async () => {
    const database = await testDatabase()
    const client = await connection(database.url)
    const lost = new Promise<void>((resolve) => client.once('end', () => resolve()))
    await database.drop()
    await lost
    await expect(connection(database.url)).rejects.toMatchObject({ code: '3D000' })
  })
})
