import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { OutboxError, type OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase()
})
afterAll(() => fed[Symbol.asyncDispose]())

const emit = (count: number, prefix = 'k') =>
  fed.db.transaction(() =>
    fed.outbox.emit(
      Array.from({ length: count }, (_, n) => ({ topic: 't', key: `${prefix}${n % 40}`, payload: n })),
    ),
  )

/** A process that has died with all partitions in its hands, after so many crashes before. */
const deadOwner = (consumer: string, crashes = 0) =>
  fed.db.sql.transaction(async (tx) => {
    await tx.query(
      `INSERT INTO orgdb.outbox_member VALUES ($1, 'dead', clock_timestamp() + interval '300 milliseconds')`,
      [consumer],
    )
    await tx.query(
      `UPDATE orgdb.outbox_lease SET owner = 'dead', token = token + 1, crashes = $2 WHERE consumer = $1`,
      [consumer, crashes],
    )
  })

describe('partitions', () => {
  it('are shared by processes as they come and go, without a gap, in the order of keys', async () => {
    const { outbox, other } = fed
    const got: OutboxEvent[] = []
    const options = {
      name: 'shared',
      from: 'now',
      concurrency: 2,
      leaseMs: 3_000,
      handle: async (events: readonly OutboxEvent[]) => void got.push(...events),
    } as const
    const one = collector(outbox, options).consumer
    await one.start()
    await until(() => one.metrics().partitions.length === 16)
    const two = collector(other().outbox, options).consumer
    await two.start()
    await until(() => one.metrics().partitions.length === 8 && two.metrics().partitions.length === 8)
    for (let round = 0; round < 5; round += 1) await emit(200)
    await until(() => got.length >= 500)
    await one.close()
    await until(() => two.metrics().partitions.length === 16 && got.length >= 1_000)
    expect(got).toHaveLength(1_000)
    const last = new Map<string, number>()
    for (const { key, seq } of got) {
      expect(seq).toBeGreaterThan(last.get(key) ?? 0)
      last.set(key, seq)
    }
    await two.close()
  })

  it('of a process that died are taken over when its lease is over', async () => {
    const { outbox } = fed
    const first = collector(outbox, { name: 'takeover', from: 'now' })
    await first.consumer.start()
    await first.consumer.close()
    await deadOwner('takeover')
    await emit(10)
    const taken: number[] = []
    const end = outbox.outboxEvents.on('outbox.partitions.changed', ({ takenOver }) => taken.push(takenOver))
    const startedAt = performance.now()
    const { consumer, got } = collector(outbox, { name: 'takeover', leaseMs: 2_000 })
    await consumer.start()
    await until(() => got.length === 10)
    expect(performance.now() - startedAt).toBeLessThan(1_000)
    expect(Math.max(...taken)).toBe(16)
    await until(async () => {
      const rows = await fed.db.sql.query(
        `SELECT 1 FROM orgdb.outbox_lease WHERE consumer = 'takeover' AND crashes > 0`,
      )
      return rows.length === 0
    })
    end()
    await consumer.close()
  })

  it('that another process has taken are let go, and what was under way is void', async () => {
    const { db, outbox } = fed
    let isFirst = true
    const handle = async (events: readonly OutboxEvent[]) => {
      for (const { payload } of events) await db.team.create({ data: { code: `z${payload}`, label: 'x' } })
      if (!isFirst) return
      isFirst = false
      // On another connection: a transaction of its own.
      await fed
        .other()
        .db.sql.query(`UPDATE orgdb.outbox_lease SET token = token + 1 WHERE consumer = 'zombie'`)
    }
    const { consumer } = collector(outbox, {
      name: 'zombie',
      from: 'now',
      exactlyOnce: true,
      handle,
      leaseMs: 300,
    })
    await consumer.start()
    await emit(5)
    await until(async () => (await db.team.count({ where: { code: { startsWith: 'z' } } })) === 5)
    await consumer.close()
  })

  it('whose event ends the process every time give it up after some deaths', async () => {
    const { outbox, db } = fed
    const first = collector(outbox, { name: 'killer', from: 'now' })
    await first.consumer.start()
    await first.consumer.close()
    await emit(3, 'kill')
    const [row] = await db.sql.query<{ seq: string; part: number }>(
      `SELECT seq, part FROM orgdb.outbox ORDER BY seq DESC LIMIT 1 OFFSET 2`,
    )
    await deadOwner('killer', 4)
    // It had been begun three times, and ended the process each time.
    await db.sql.query(
      `UPDATE orgdb.outbox_lease SET suspect = $1, started = 3 WHERE consumer = 'killer' AND part = $2`,
      [row?.seq, row?.part],
    )
    const { consumer, got } = collector(outbox, { name: 'killer', leaseMs: 2_000 })
    await consumer.start()
    await until(() => got.length === 2)
    expect(got.map(({ key }) => key)).toEqual(['kill1', 'kill2'])
    expect(await outbox.deadLetters('killer')).toMatchObject([{ key: 'kill0', reason: /the process ended/ }])
    await consumer.close()
    await expect(consumer.start()).rejects.toBeInstanceOf(OutboxError)
  })

  it('that are further than others get nothing again, and hold nobody up', async () => {
    const { db, outbox } = fed
    const registered = collector(outbox, { name: 'uneven', from: 'now' })
    await registered.consumer.start()
    await registered.consumer.close()
    await emit(100, 'uneven')
    const [{ left = 0 } = {}] = await db.sql.query<{ left: number }>(
      `WITH done AS (
         UPDATE orgdb.outbox_lease SET position = (SELECT max(seq) FROM orgdb.outbox) + 1000 WHERE consumer = 'uneven' AND part < 8
       ) SELECT count(*)::int AS left FROM orgdb.outbox WHERE key LIKE 'uneven%' AND part >= 8`,
    )
    const got: number[] = []
    const handle = async (events: readonly OutboxEvent[]) => void got.push(...events.map(({ seq }) => seq))
    const { consumer } = collector(outbox, {
      name: 'uneven',
      exactlyOnce: true,
      batch: { maxCount: 7 },
      handle,
    })
    await consumer.start()
    await until(() => got.length >= left)
    await consumer.close()
    expect(new Set(got).size).toBe(left)
    expect(got).toHaveLength(left)
    const back = await db.sql.query(
      `SELECT 1 FROM orgdb.outbox_lease WHERE consumer = 'uneven' AND part < 8 AND position < (SELECT max(seq) FROM orgdb.outbox)`,
    )
    expect(back).toEqual([])
  })

  it('are handed over by closing the database', async () => {
    const { db, outbox } = fed.other()
    const { consumer } = collector(outbox, { name: 'closing' })
    await consumer.start()
    await until(() => consumer.metrics().partitions.length === 16)
    await db.close()
    const held = await fed.db.sql.query(
      `SELECT 1 FROM orgdb.outbox_lease WHERE consumer = 'closing' AND owner IS NOT NULL`,
    )
    expect(held).toEqual([])
  })
})
