import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase({ models: { Team: {} } })
})
afterAll(() => fed[Symbol.asyncDispose]())

const emit = (count: number, key = (n: number) => `k${n}`) =>
  fed.db.transaction(() =>
    fed.outbox.emit(Array.from({ length: count }, (_, n) => ({ topic: 't', key: key(n), payload: n }))),
  )
const rest = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
const membersOf = async (consumer: string) =>
  (await fed.db.sql.query('SELECT 1 FROM orgdb.outbox_member WHERE consumer = $1', [consumer])).length
const positionOf = async (consumer: string) => {
  const { consumers, last } = await fed.outbox.status()
  return last - (consumers.find(({ name }) => name === consumer)?.position ?? 0)
}

describe('start', () => {
  it('called twice at once starts once', async () => {
    const { consumer, got } = collector(fed.outbox, { name: 'twice', from: 'now' })
    await Promise.all([consumer.start(), consumer.start()])
    await emit(3)
    await until(() => got.length >= 3)
    await rest(100)
    expect(got).toHaveLength(3)
    expect(await membersOf('twice')).toBe(1)
    await consumer.close()
    expect(await membersOf('twice')).toBe(0)
  })

  it('that is closed meanwhile does not run', async () => {
    const { consumer, got } = collector(fed.outbox, { name: 'hasty', from: 'now' })
    const started = consumer.start()
    await Promise.all([expect(started).rejects.toMatchObject({ code: 'DB_OUTBOX_CLOSED' }), consumer.close()])
    await emit(1)
    await rest(100)
    expect(got).toEqual([])
    expect(await membersOf('hasty')).toBe(0)
  })

  it('that failed can be tried again', async () => {
    const { db, outbox } = fed.other()
    const { consumer } = collector(outbox, { name: 'again' })
    await db.sql.query('ALTER TABLE orgdb.outbox_consumer RENAME TO away')
    await expect(consumer.start()).rejects.toThrow()
    await db.sql.query('ALTER TABLE orgdb.away RENAME TO outbox_consumer')
    await consumer.start()
    await consumer.close()
  })
})

describe('close', () => {
  it('gives up a handler that ignores its signal, and says so', async () => {
    const { db, outbox } = fed.other()
    const abandoned: unknown[] = []
    outbox.outboxEvents.on('outbox.consumer.abandoned', ({ consumer }) => abandoned.push(consumer))
    let release = (): void => undefined
    let isIn = false
    const handle = async () => {
      isIn = true
      await new Promise<void>((resolve) => {
        release = resolve
      })
    }
    const { consumer } = collector(outbox, { name: 'deaf', from: 'now', handle })
    await consumer.start()
    await emit(1)
    await until(() => isIn)
    const startedAt = performance.now()
    await db.close({ drainTimeoutMs: 50 })
    expect(performance.now() - startedAt).toBeLessThan(4_000)
    expect(abandoned).toEqual(['deaf'])
    expect(await membersOf('deaf')).toBe(0)
    release()
  })

  it('called by the handler ends the consumer after it', async () => {
    const got: number[] = []
    const { consumer } = collector(fed.outbox, {
      name: 'selfish',
      from: 'now',
      batch: { maxCount: 2 },
      handle: async (events: readonly OutboxEvent[]) => {
        got.push(events.length)
        await consumer.close()
      },
    })
    await consumer.start()
    await emit(6)
    await until(() => got.length > 0)
    await consumer.close()
    expect(got).toEqual([2])
    expect(await positionOf('selfish')).toBe(4)
  })

  it.each([false, true])(
    'ends between two events and keeps what was done, exactly once: %s',
    async (exactlyOnce) => {
      const name = `each ${exactlyOnce}`
      const got: unknown[] = []
      const each = async ({ payload }: OutboxEvent) => {
        got.push(payload)
        await rest(20)
      }
      const options = { name, from: 'now', each, exactlyOnce } as const
      const first = collector(fed.outbox, options).consumer
      await first.start()
      await emit(30)
      await until(() => got.length >= 3)
      await first.close()
      expect(got.length).toBeLessThan(30)
      const next = collector(fed.outbox, options).consumer
      await next.start()
      await until(() => got.length >= 30)
      await next.close()
      expect(got).toEqual(Array.from({ length: 30 }, (_, n) => n))
    },
  )

  it('lets a job end its chunk', async () => {
    const { db, outbox } = fed
    await db.sql.query(`INSERT INTO team SELECT 'j' || n, 'x' FROM generate_series(1, 4) n`)
    const seen: boolean[] = []
    const handle = async (_: readonly OutboxEvent[], { signal }: { readonly signal: AbortSignal }) => {
      seen.push(false)
      await rest(200)
      seen[seen.length - 1] = signal.aborted
    }
    const { consumer } = collector(outbox, { name: 'patient', from: 'now', handle })
    await consumer.start()
    await outbox.backfill('Team', { consumer: 'patient' })
    await until(() => seen.length === 1)
    await consumer.close()
    expect(seen).toEqual([false])
    expect(await outbox.jobs({ consumer: 'patient' })).toMatchObject([{ done: 4, state: 'done' }])
  })
})

describe('pause', () => {
  it('stops what was read, what is tried again, and jobs, and all goes on afterwards', async () => {
    const { db, outbox } = fed
    await db.sql.query(`INSERT INTO team SELECT 'p' || n, 'x' FROM generate_series(1, 200) n`)
    const got: unknown[] = []
    let filled = 0
    const each = async ({ payload, origin }: OutboxEvent) => {
      if (origin === 'backfill') filled += 1
      else got.push(payload)
      await rest(5)
    }
    const { consumer } = collector(outbox, { name: 'held', from: 'now', each, leaseMs: 1_000 })
    await consumer.start()
    await emit(400)
    await outbox.backfill('Team', { consumer: 'held', chunk: 10 })
    await until(() => got.length > 5 && filled > 5)
    await outbox.pause('held')
    await until(() => consumer.metrics().isPaused)
    await rest(200)
    const before = [got.length, filled]
    await rest(300)
    expect([got.length, filled]).toEqual(before)
    expect(got.length).toBeLessThan(400)
    await outbox.resume('held')
    await until(() => got.length >= 400 && filled >= 200, 20_000)
    expect(got).toEqual(Array.from({ length: 400 }, (_, n) => n))
    await consumer.close()
  }, 30_000)
})

describe('remove', () => {
  it('ends the consumer where it runs, with one report', async () => {
    const { outbox } = fed.other()
    const reports: unknown[] = []
    outbox.outboxEvents.on('outbox.failed', ({ error }) => reports.push(error))
    const { consumer } = collector(outbox, { name: 'removed', from: 'now', leaseMs: 300 })
    await consumer.start()
    await until(() => consumer.metrics().partitions.length === 16)
    await fed.outbox.remove('removed')
    await until(() => consumer.metrics().partitions.length === 0)
    await consumer.close()
    expect(reports).toMatchObject([{ code: 'DB_OUTBOX_NOT_FOUND' }])
    await expect(consumer.start()).rejects.toMatchObject({ code: 'DB_OUTBOX_CLOSED' })
  })
})
