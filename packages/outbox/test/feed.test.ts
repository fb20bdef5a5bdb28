import { createDatabase } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createOutbox } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase()
})
afterAll(() => fed[Symbol.asyncDispose]())

describe('a feed', () => {
  it('delivers what was committed, once, in order, with context and version', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'first', from: 'now' })
    await consumer.start()
    await db.run({ tenant: 'acme', actor: 'ada', requestId: 'r-1' }, () =>
      db.transaction(async () => {
        await outbox.emit({ topic: 'order.placed', key: 'order:1', payload: { cents: 100n.toString() } })
        await outbox.emit([
          { topic: 'order.paid', key: 'order:1', payload: 1, version: 2, headers: { traceparent: 't' } },
          { topic: 'order.sent', key: 'order:1' },
        ])
      }),
    )
    await until(() => got.length === 3)
    expect(got.map(({ model, key, after, kind }) => [model, key, after, kind])).toEqual([
      ['order.placed', 'order:1', { cents: '100' }, 'event'],
      ['order.paid', 'order:1', 1, 'event'],
      ['order.sent', 'order:1', null, 'event'],
    ])
    expect(got[0]).toMatchObject({ tenant: 'acme', origin: 'live', schemaVersion: 1 })
    expect(got[1]).toMatchObject({
      schemaVersion: 2,
      headers: { tenant: 'acme', actor: 'ada', requestId: 'r-1', traceparent: 't' },
    })
    expect(Math.abs(Number(got[0]?.at) - Date.now())).toBeLessThan(5_000)
    expect((got[1]?.version ?? 0n) > (got[0]?.version ?? 0n)).toBe(true)
    await consumer.close()
  })

  it('delivers nothing of what was rolled back, also in a savepoint, and goes on behind it', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'rollbacks', from: 'now' })
    await consumer.start()
    const event = (key: string) => outbox.emit({ topic: 't', key })
    await db
      .transaction(async () => {
        await event('whole')
        throw new Error('no')
      })
      .catch(() => undefined)
    await db.transaction(async () => {
      await event('before')
      await db
        .transaction(async () => {
          await event('savepoint')
          throw new Error('no')
        })
        .catch(() => undefined)
      await event('after')
    })
    await until(() => got.length === 2)
    expect(got.map(({ key }) => key)).toEqual(['before', 'after'])
    await consumer.close()
  })

  it('waits for an open transaction that has emitted, and for no other one', async () => {
    const { db, outbox, database } = fed
    const { consumer, got } = collector(outbox, { name: 'waiting', from: 'now' })
    await consumer.start()
    const late = new pg.Client({ connectionString: database.url })
    const unrelated = new pg.Client({ connectionString: database.url })
    await Promise.all([late.connect(), unrelated.connect()])
    await unrelated.query(`BEGIN; INSERT INTO team VALUES ('open', 'open')`)
    const emit = (key: string) => db.transaction(() => outbox.emit({ topic: 't', key }))
    await emit('first')
    await until(() => got.length === 1)
    await late.query(`BEGIN; INSERT INTO orgdb.outbox (topic, key, op) VALUES ('t', 'late', 'e')`)
    await emit('second')
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(got.map(({ key }) => key)).toEqual(['first'])
    expect((await outbox.status()).oldestGapMs).toBeGreaterThan(50)
    await late.query('COMMIT')
    await until(() => got.length === 3)
    expect(got.map(({ key }) => key)).toEqual(['first', 'late', 'second'])
    await unrelated.query('ROLLBACK')
    await Promise.all([late.end(), unrelated.end()])
    await consumer.close()
  })

  it('takes up where it was, for each name, and gives each consumer its topics', async () => {
    const { db, outbox } = fed
    const one = collector(outbox, { name: 'resume', from: 'now', topics: ['a'] })
    await one.consumer.start()
    const emit = (topic: string, key: string) => db.transaction(() => outbox.emit({ topic, key }))
    await emit('a', '1')
    await emit('b', '2')
    await until(() => one.got.length === 1)
    await one.consumer.close()
    await emit('a', '3')
    const again = collector(outbox, { name: 'resume', topics: ['a'] })
    await again.consumer.start()
    await until(() => again.got.length === 1)
    expect(again.got.map(({ key }) => key)).toEqual(['3'])
    await again.consumer.close()
  })

  it('wakes consumers of other processes', async () => {
    const { db, outbox, other } = fed
    const far = other()
    const { consumer, got } = collector(far.outbox, {
      name: 'far',
      from: 'now',
      poll: { minMs: 5_000, maxMs: 5_000 },
    })
    await consumer.start()
    await until(async () => {
      const listening = await db.sql.query(
        `SELECT 1 FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()`,
      )
      return listening.length > 0
    })
    const startedAt = performance.now()
    await db.transaction(() => outbox.emit({ topic: 't', key: 'k' }))
    await until(() => got.length === 1)
    expect(performance.now() - startedAt).toBeLessThan(900)
    await consumer.close()
  })

  it('puts events together by count, size and time', async () => {
    const { db, outbox } = fed
    const sizes: number[] = []
    const consumer = outbox.consumer({
      name: 'batches',
      from: 'now',
      handle: async (events) => void sizes.push(events.length),
      batch: { maxCount: 4, maxBytes: 100_000, lingerMs: 800 },
    })
    await consumer.start()
    for (let at = 0; at < 6; at += 1) await db.transaction(() => outbox.emit({ topic: 't', key: String(at) }))
    await until(() => sizes.reduce((sum, size) => sum + size, 0) === 6)
    expect(sizes).toEqual([4, 2])
    await consumer.close()
  })

  it('refuses what would get lost', async () => {
    const { db, outbox } = fed
    await expect(outbox.emit({ topic: 't', key: 'k' })).rejects.toMatchObject({
      code: 'DB_OUTBOX_TRANSACTION',
    })
    await expect(createOutbox().emit({ topic: 't', key: 'k' })).rejects.toMatchObject({
      code: 'DB_OUTBOX_NOT_ATTACHED',
    })
    const payload = { id: 1n }
    await expect(db.transaction(() => outbox.emit({ topic: 't', key: 'k', payload }))).rejects.toMatchObject({
      code: 'DB_OUTBOX_PAYLOAD',
    })
    const consumer = outbox.consumer({ name: 'x', handle: async () => undefined })
    await expect(db.transaction(() => consumer.start())).rejects.toMatchObject({
      code: 'DB_OUTBOX_TRANSACTION',
    })
    expect(() => outbox.consumer({ name: 'x' })).toThrow(/exactly one/)
    expect(() =>
      createDatabase({
        url: fed.database.url,
        client: (adapter) => new PrismaClient({ adapter }),
        use: [createOutbox({ models: { User: {} } })],
      }),
    ).toThrow(/metadata/)
  })
})
