import { DatabaseError } from '@org/db-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { ConsumerOptions, OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase()
})
afterAll(() => fed[Symbol.asyncDispose]())

const emit = (...keys: readonly string[]) =>
  fed.db.transaction(() => fed.outbox.emit(keys.map((key, n) => ({ topic: 't', key, payload: n }))))

/** Fails for keys in `bad`, and keeps what it takes. */
function picky(bad: Set<string>, got: string[]): Pick<ConsumerOptions, 'handle'> {
  return {
    async handle(events: readonly OutboxEvent[]) {
      const guilty = events.find(({ key }) => bad.has(key))
      if (guilty) throw new Error(`can't take ${guilty.model}`)
      got.push(...events.map(({ key, payload }) => `${key}${payload}`))
    },
  }
}

const quick = { retry: { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 2 }, breaker: { failures: 1_000 } }

describe('a poison event', () => {
  it('blocks its own key only, is given up after its attempts, and is redriven in order', async () => {
    const { outbox } = fed
    const bad = new Set(['b'])
    const got: string[] = []
    const { consumer } = collector(outbox, { name: 'poison', from: 'now', ...picky(bad, got), ...quick })
    await consumer.start()
    await emit('a', 'b', 'c', 'b', 'a', 'd')
    await until(() => got.length === 4)
    expect([...got].sort()).toEqual(['a0', 'a4', 'c2', 'd5'])
    await until(async () => (await outbox.deadLetters('poison')).length === 1)
    const [letter] = await outbox.deadLetters('poison')
    expect(letter).toMatchObject({ key: 'b', payload: 1, attempts: 2, reason: "Error: can't take t" })
    const status = await outbox.status()
    expect(status.consumers.find(({ name }) => name === 'poison')).toMatchObject({
      parkedKeys: 1,
      parkedEvents: 2,
      deadEvents: 1,
    })
    bad.clear()
    await emit('b')
    expect(await outbox.redrive('poison')).toBe(1)
    await until(() => got.length === 7)
    expect(got.filter((each) => each.startsWith('b'))).toEqual(['b1', 'b3', 'b0'])
    await consumer.close()
  })

  it('is left out when an operator says so, and what stood behind it goes on', async () => {
    const { outbox } = fed
    const got: string[] = []
    const { consumer } = collector(outbox, {
      name: 'skip',
      from: 'now',
      ...picky(new Set(['b']), got),
      ...quick,
    })
    await consumer.start()
    await emit('b')
    await until(async () => (await outbox.deadLetters('skip')).length === 1)
    const [letter] = await outbox.deadLetters('skip')
    await outbox.skip('skip', letter?.seq ?? 0)
    await emit('a')
    await until(() => got.length === 1)
    await until(
      async () => (await outbox.status()).consumers.find(({ name }) => name === 'skip')?.parkedKeys === 0,
    )
    await expect(outbox.skip('skip', 999_999_999)).rejects.toMatchObject({ code: 'DB_OUTBOX_NOT_FOUND' })
    await consumer.close()
  })

  it('lets its key go on where order does not matter', async () => {
    const { outbox } = fed
    const got: string[] = []
    const each = async ({ key, payload }: OutboxEvent) => {
      if (payload === 0) throw new Error('no')
      got.push(key)
    }
    const { consumer } = collector(outbox, {
      name: 'continue',
      from: 'now',
      each,
      afterDead: 'continue',
      ...quick,
    })
    await consumer.start()
    await emit('x', 'x', 'x')
    await until(() => got.length === 2)
    expect(await outbox.deadLetters('continue')).toHaveLength(1)
    await consumer.close()
  })

  it('lets what stands behind it in its batch go on in order', async () => {
    const { outbox } = fed
    const got: unknown[] = []
    const handle = async (events: readonly OutboxEvent[]) => {
      if (events.some(({ payload }) => payload === 1)) throw new Error('no')
      got.push(...events.map(({ payload }) => payload))
    }
    const { consumer } = collector(outbox, {
      name: 'continue in order',
      from: 'now',
      handle,
      afterDead: 'continue',
      batch: { maxCount: 8 },
      retry: { maxAttempts: 1 },
      breaker: { failures: 1_000 },
    })
    await consumer.start()
    await emit(...Array.from({ length: 9 }, () => 'x'))
    await until(() => got.length === 8)
    expect(got).toEqual([0, 2, 3, 4, 5, 6, 7, 8])
    await consumer.close()
  })

  it('is tried until it is given up where nothing else comes, and stops nobody meanwhile', async () => {
    const { outbox } = fed
    const got: string[] = []
    const opened: unknown[] = []
    const end = outbox.outboxEvents.on('outbox.breaker.opened', (each) => opened.push(each))
    const { consumer } = collector(outbox, {
      name: 'quiet',
      from: 'now',
      ...picky(new Set(['b']), got),
      retry: { minDelayMs: 1, maxDelayMs: 2, maxAttempts: 8 },
    })
    await consumer.start()
    // The first of a batch that is split nine times until it is found.
    await emit('b', ...Array.from({ length: 499 }, (_, n) => `k${n}`))
    await until(() => got.length === 499)
    await until(async () => (await outbox.deadLetters('quiet')).length === 1)
    expect(opened).toEqual([])
    expect(consumer.metrics()).toMatchObject({ dead: 1, parked: 7, events: 500, retries: 0 })
    await consumer.close()
    end()
  })

  it('has its turn under steady load', async () => {
    const { db, outbox } = fed
    let isBad = true
    let isOver = false
    const got = new Set<string>()
    const handle = async (events: readonly OutboxEvent[]) => {
      await new Promise((resolve) => setTimeout(resolve, 20))
      if (isBad && events.some(({ key }) => key === 'poison')) throw new Error('no')
      for (const { key } of events) got.add(key)
    }
    const { consumer } = collector(outbox, {
      name: 'steady',
      from: 'now',
      handle,
      batch: { maxCount: 5 },
      retry: { minDelayMs: 50, maxDelayMs: 50, maxAttempts: 1_000 },
      breaker: { failures: 1_000 },
    })
    await consumer.start()
    const load = (async () => {
      for (let at = 0; !isOver; at += 1) {
        await db.transaction(() =>
          outbox.emit(Array.from({ length: 50 }, (_, n) => ({ topic: 't', key: `l${at}-${n}` }))),
        )
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    })()
    await emit('poison')
    await until(() => consumer.metrics().parked > 0)
    isBad = false
    await until(() => got.has('poison'))
    isOver = true
    await load
    await consumer.close()
  })

  it('can be a payload that no upcaster understands', async () => {
    await using other = await fedDatabase({
      upcasters: {
        order: {
          1: (payload) => ({ cents: (payload as { euros: number }).euros * 100 }),
          2: (payload) => ({ ...(payload as object), currency: 'EUR' }),
        },
      },
    })
    const { consumer, got } = collector(other.outbox, { ...quick })
    await consumer.start()
    await other.db.transaction(() =>
      other.outbox.emit([
        { topic: 'order', key: '1', payload: { euros: 2 } },
        { topic: 'order', key: '2', payload: null },
        { topic: 'order', key: '3', payload: { cents: 5 }, version: 2 },
      ]),
    )
    await until(() => got.length === 2)
    expect(got.map(({ payload, schemaVersion }) => [payload, schemaVersion])).toEqual([
      [{ cents: 200, currency: 'EUR' }, 3],
      [{ cents: 5, currency: 'EUR' }, 3],
    ])
    await until(async () => (await other.outbox.deadLetters('collector')).length === 1)
  })
})

it('an upcaster that changes what it gets finds it as it was at the next attempt', async () => {
  await using other = await fedDatabase({
    upcasters: {
      order: {
        1: (payload) => {
          const order = payload as { cents: number }
          order.cents *= 100
          return order
        },
      },
    },
  })
  const seen: unknown[] = []
  const handle = async (events: readonly OutboxEvent[]) => {
    seen.push(...events.map(({ payload }) => payload))
    if (seen.length === 1) throw Object.assign(new Error('again'), { retryable: true })
  }
  const { consumer } = collector(other.outbox, { handle, retry: { minDelayMs: 1 } })
  await consumer.start()
  await other.db.transaction(() => other.outbox.emit({ topic: 'order', key: '1', payload: { cents: 2 } }))
  await until(() => seen.length === 2)
  expect(seen).toEqual([{ cents: 200 }, { cents: 200 }])
  await consumer.close()
})

describe('an outage', () => {
  it('of which nobody knows costs no more than a few events their first attempt, and is left when it ends', async () => {
    const { outbox } = fed
    let isDown = true
    let calls = 0
    const got: string[] = []
    const handle = async (events: readonly OutboxEvent[]) => {
      calls += 1
      if (isDown) throw new Error('down')
      got.push(...events.map(({ key }) => key))
    }
    const { consumer } = collector(outbox, {
      name: 'unknown outage',
      from: 'now',
      handle,
      retry: { minDelayMs: 1, maxDelayMs: 5, maxAttempts: 1_000 },
      breaker: { openMs: 50, maxOpenMs: 50 },
    })
    await consumer.start()
    await emit(...Array.from({ length: 64 }, (_, n) => `o${n}`))
    await until(() => consumer.metrics().isBreakerOpen)
    expect(calls).toBeLessThan(25)
    isDown = false
    await until(() => got.length === 64)
    await consumer.close()
  })

  it('that says so itself costs no attempts and loses no order', async () => {
    const { outbox } = fed
    let failures = 5
    const got: string[] = []
    const handle = async (events: readonly OutboxEvent[]) => {
      failures -= 1
      if (failures >= 0)
        throw new DatabaseError('DB_UNREACHABLE', 'down', { retryable: true, outcome: 'not-sent' })
      got.push(...events.map(({ key }) => key))
    }
    const { consumer } = collector(outbox, { name: 'outage', from: 'now', handle, ...quick })
    await consumer.start()
    await emit('a', 'b', 'c')
    await until(() => got.length === 3)
    expect(got).toEqual(['a', 'b', 'c'])
    expect(await outbox.deadLetters('outage')).toEqual([])
    await consumer.close()
  })

  it('opens the breaker, and all is delivered when it is over', async () => {
    const { outbox } = fed
    let isDown = true
    let calls = 0
    const got: string[] = []
    const each = async ({ key }: OutboxEvent) => {
      calls += 1
      if (isDown) throw new Error('down')
      got.push(key)
    }
    const opened: number[] = []
    const end = outbox.outboxEvents.on('outbox.breaker.opened', ({ openMs }) => opened.push(openMs))
    const { consumer } = collector(outbox, {
      name: 'breaker',
      from: 'now',
      each,
      retry: { minDelayMs: 1, maxDelayMs: 5 },
      breaker: { failures: 3, openMs: 50, maxOpenMs: 200 },
    })
    await consumer.start()
    await emit(...Array.from({ length: 30 }, (_, n) => `k${n}`))
    await until(() => opened.length >= 2)
    expect(consumer.metrics().isBreakerOpen).toBe(true)
    expect(calls).toBeLessThan(10)
    isDown = false
    await until(() => new Set(got).size === 30)
    expect(consumer.metrics().isBreakerOpen).toBe(false)
    await consumer.close()
    end()
  })

  it('is no reason to deliver while an operator has paused the consumer', async () => {
    const { outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'paused', from: 'now', leaseMs: 300 })
    await consumer.start()
    await outbox.pause('paused', { reason: 'maintenance' })
    await until(() => consumer.metrics().isPaused)
    await emit('a')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(got).toEqual([])
    expect((await outbox.status()).consumers.find(({ name }) => name === 'paused')).toMatchObject({
      pausedReason: 'maintenance',
      lagEvents: 1,
    })
    await outbox.resume('paused')
    await until(() => got.length === 1)
    await expect(outbox.pause('nobody')).rejects.toMatchObject({ code: 'DB_OUTBOX_NOT_FOUND' })
    await consumer.close()
  })
})
