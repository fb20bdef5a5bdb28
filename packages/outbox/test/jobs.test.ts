import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase({ models: { Team: {} }, retention: { keepMs: 1, partitionEvents: 1_000 } })
})
afterAll(() => fed[Symbol.asyncDispose]())

const keysOf = (events: readonly OutboxEvent[]) => events.map(({ key }) => key)

describe('a replay', () => {
  it('of everything from a position or time sets the cursor back', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'again', leaseMs: 1_000 })
    await consumer.start()
    const emit = (key: string) => db.transaction(() => outbox.emit({ topic: 't', key }))
    await emit('a')
    const [{ now } = { now: new Date() }] = await db.sql.query<{ now: Date }>(
      'SELECT clock_timestamp() AS now',
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    await emit('b')
    await emit('c')
    const stored = (count: number) =>
      until(async () => got.length === count && (await outbox.status()).consumers[0]?.lagEvents === 0)
    await stored(3)
    await outbox.replay('again', { from: got[1]?.seq ?? 0 })
    await stored(4)
    expect(keysOf(got).slice(3)).toEqual(['c'])
    await outbox.replay('again', { from: new Date(now.getTime() + 1) })
    await stored(6)
    await outbox.replay('again')
    await until(() => got.length === 9)
    expect(keysOf(got).slice(6)).toEqual(['a', 'b', 'c'])
    await expect(outbox.replay('nobody')).rejects.toMatchObject({ code: 'DB_OUTBOX_NOT_FOUND' })
    await consumer.close()
  })

  it('of some topics or keys runs beside the live events', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'some', from: 'now' })
    await consumer.start()
    await db.transaction(() => outbox.emit(['x', 'y', 'x'].map((key) => ({ topic: 'some', key }))))
    await until(() => got.length === 3)
    const job = await outbox.replay('some', { topics: ['some'], keys: ['x'] })
    await until(() => got.length === 5)
    expect(got.slice(3).map(({ key, origin, version }) => [key, origin, version])).toEqual([
      ['x', 'replay', got[0]?.version],
      ['x', 'replay', got[2]?.version],
    ])
    await until(async () => (await outbox.jobs({ consumer: 'some' }))[0]?.state === 'done')
    expect(await outbox.jobs({ consumer: 'some' })).toMatchObject([
      { id: job, kind: 'replay', done: 2, total: 2, failed: 0, etaMs: 0 },
    ])
    await consumer.close()
  })
})

describe('a backfill', () => {
  it('delivers all rows by key with a version that later changes beat, and goes on after an interruption', async () => {
    const { db, outbox } = fed
    await db.sql.query(
      `INSERT INTO team SELECT 'c' || lpad(n::text, 3, '0'), 'old' FROM generate_series(1, 100) n`,
    )
    let calls = 0
    const got: OutboxEvent[] = []
    const handle = async (events: readonly OutboxEvent[]) => {
      if (events[0]?.origin === 'backfill' && ++calls === 3)
        throw Object.assign(new Error('down'), { retryable: true })
      got.push(...events)
    }
    const options = { name: 'filled', from: 'now', handle, retry: { minDelayMs: 300 } } as const
    const first = collector(outbox, options)
    await first.consumer.start()
    const { job, sinceVersion } = await outbox.backfill('Team', { consumer: 'filled', chunk: 10 })
    await until(() => got.length >= 20)
    await first.consumer.close()
    await db.team.update({ where: { code: 'c001' }, data: { label: 'new' } })
    const second = collector(outbox, options)
    await second.consumer.start()
    await until(async () => (await outbox.jobs({ consumer: 'filled' }))[0]?.state === 'done')
    expect(await outbox.jobs({ consumer: 'filled' })).toMatchObject([
      { id: job, kind: 'backfill', done: 100, failed: 0 },
    ])
    const rows = got.filter(({ origin }) => origin === 'backfill')
    expect(new Set(keysOf(rows)).size).toBe(100)
    expect(rows).toHaveLength(100)
    await until(() => got.some(({ origin }) => origin === 'live'))
    const live = got.find(({ origin }) => origin === 'live')
    const filled = rows.find(({ key }) => key === 'Team:c001')
    expect(filled).toMatchObject({ model: 'Team', kind: 'create', after: { code: 'c001', label: 'old' } })
    expect((live?.version ?? 0n) > (filled?.version ?? 0n)).toBe(true)
    expect((filled?.version ?? 0n) >= sinceVersion).toBe(true)
    await second.consumer.close()
  })

  it('that can not go on holds up no other one, and is reported now and then', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'broken job', from: 'now' })
    const reports: unknown[] = []
    const end = outbox.outboxEvents.on('outbox.failed', (each) => reports.push(each))
    await consumer.start()
    await db.sql.query(
      `INSERT INTO orgdb.outbox_job (consumer, kind, spec, since) VALUES ('broken job', 'backfill', '{"model": "Nobody"}', 0)`,
    )
    await outbox.backfill('Team', { consumer: 'broken job' })
    await until(() => got.length >= 100)
    expect(reports).toHaveLength(1)
    await consumer.close()
    end()
  })

  it('puts rows aside that can not be delivered, and can be cancelled', async () => {
    const { outbox } = fed
    const handle = async (events: readonly OutboxEvent[]) => {
      if (keysOf(events).includes('Team:c007')) throw new Error('no')
    }
    const { consumer } = collector(outbox, { name: 'bad row', from: 'now', handle, retry: { minDelayMs: 1 } })
    await consumer.start()
    await outbox.backfill('Team', { consumer: 'bad row' })
    await until(async () => (await outbox.jobs({ consumer: 'bad row' }))[0]?.state === 'done')
    expect(await outbox.jobs({ consumer: 'bad row' })).toMatchObject([{ failed: 1, done: 100 }])
    expect(await outbox.deadLetters('bad row')).toMatchObject([{ key: 'Team:c007' }])
    await consumer.close()
    const { job } = await outbox.backfill('Team', { consumer: 'bad row' })
    await outbox.cancel(job)
    await expect(outbox.cancel(job)).rejects.toMatchObject({ code: 'DB_OUTBOX_NOT_FOUND' })
  })
})

describe('retention', () => {
  it('drops nothing that is not decided, without consumers or when the last one was removed', async () => {
    await using own = await fedDatabase({ retention: { keepMs: 1 } })
    const { outbox, db, other } = own
    const emit = (count: number) =>
      db.transaction(() =>
        outbox.emit(Array.from({ length: count }, (_, n) => ({ topic: 't', key: String(n) }))),
      )
    await outbox.maintain()
    await emit(3)
    const first = collector(other().outbox, { name: 'a' })
    await first.consumer.start()
    await until(() => first.got.length === 3)
    await first.consumer.close()
    await outbox.remove('a')
    await new Promise((resolve) => setTimeout(resolve, 5))
    await outbox.maintain()
    await emit(2)
    const second = collector(other().outbox, { name: 'b' })
    await second.consumer.start()
    await until(() => second.got.length === 5)
    await second.consumer.close()
    expect((await outbox.status()).settled).toBe(5)
  })

  it('makes partitions ahead, and drops what all consumers have, with an alarm for those that have not', async () => {
    await using own = await fedDatabase({
      retention: { keepMs: 1, partitionEvents: 1_000, alarmEvents: 500 },
    })
    const { db, outbox } = own
    const names = () =>
      db.sql.query(
        `SELECT relid::text AS name FROM pg_partition_tree('orgdb.outbox') WHERE isleaf ORDER BY 1`,
      )
    await db.sql.query(`SELECT setval('orgdb.outbox_seq', 999500)`)
    const { consumer, got } = collector(outbox, {})
    await consumer.start()
    await outbox.maintain()
    const emit = (count: number) =>
      db.transaction(() =>
        outbox.emit(Array.from({ length: count }, (_, n) => ({ topic: 't', key: String(n) }))),
      )
    await emit(1_499)
    await until(() => got.length === 1_499)
    await consumer.close()
    expect(await names()).toEqual(expect.arrayContaining([{ name: 'orgdb.outbox_p1000001' }]))
    const seen: unknown[] = []
    outbox.outboxEvents.on('outbox.partition.dropped', (each) => seen.push(each))
    outbox.outboxEvents.on('outbox.retention.blocked', ({ consumer: name, behindEvents }) =>
      seen.push([name, behindEvents]),
    )
    await db.sql.query(`INSERT INTO orgdb.outbox_consumer (name) VALUES ('slow')`)
    await db.sql.query(
      `INSERT INTO orgdb.outbox_lease (consumer, part, position) SELECT 'slow', n, 999900 FROM generate_series(0, 15) n`,
    )
    await outbox.maintain()
    expect(seen).toEqual([['slow', 1_099]])
    await outbox.remove('slow')
    await outbox.maintain()
    expect(seen.slice(1)).toEqual([{ from: 1, to: 1_000_000 }])
    await expect(outbox.replay('collector', { from: 5 })).rejects.toMatchObject({
      code: 'DB_OUTBOX_RETENTION',
    })
    const late = collector(outbox, { name: 'late' })
    await late.consumer.start()
    await until(() => late.got.length === 999)
    await late.consumer.close()
  })

  it('lets nobody fail for lack of a partition, and can give up a consumer that is too late', async () => {
    await using own = await fedDatabase({ retention: { keepMs: 1, partitionEvents: 1_000, evictAfterMs: 1 } })
    const { db, outbox } = own
    const { consumer, got } = collector(outbox, {})
    await consumer.start()
    await db.sql.query(`SELECT setval('orgdb.outbox_seq', 5000000)`)
    await db.transaction(() => outbox.emit({ topic: 't', key: 'in the net' }))
    await until(() => got.length === 1)
    await consumer.close()
    await outbox.maintain()
    await db.transaction(() =>
      outbox.emit([
        { topic: 't', key: 'lost' },
        { topic: 't', key: 'lost' },
      ]),
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    const evicted: unknown[] = []
    outbox.outboxEvents.on('outbox.consumer.evicted', (each) => evicted.push(each))
    await outbox.maintain()
    expect(evicted).toEqual([{ consumer: 'collector', lostEvents: 2 }])
    expect(await db.sql.query('SELECT 1 FROM orgdb.outbox')).toEqual([])
  })
})
