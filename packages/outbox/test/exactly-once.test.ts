import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OutboxEvent } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase()
})
afterAll(() => fed[Symbol.asyncDispose]())

describe('an exactly-once consumer', () => {
  it('commits what it writes together with the cursor, whatever fails on the way', async () => {
    const { db, outbox } = fed
    let failures = 3
    const handle = async (events: readonly OutboxEvent[]) => {
      await db.team.createMany({ data: events.map(({ key }) => ({ code: key, label: key })) })
      failures -= 1
      if (failures >= 0) throw Object.assign(new Error('after the writing'), { retryable: true })
    }
    const { consumer } = collector(outbox, {
      name: 'exact',
      handle,
      exactlyOnce: true,
      retry: { minDelayMs: 1 },
      breaker: { failures: 100 },
    })
    await consumer.start()
    for (let at = 0; at < 20; at += 1) await db.transaction(() => outbox.emit({ topic: 't', key: `k${at}` }))
    await until(async () => (await db.team.count()) === 20)
    await consumer.close()
    const [status] = (await outbox.status()).consumers
    expect(status).toMatchObject({ lagEvents: 0, deadEvents: 0 })
  })

  it('also for events that waited', async () => {
    const { db, outbox } = fed
    let isBad = true
    const each = async ({ key }: OutboxEvent) => {
      await db.team.create({ data: { code: `w${key}`, label: key } })
      if (isBad && key === 'poison') throw new Error('no')
    }
    const { consumer } = collector(outbox, {
      name: 'waited',
      from: 'now',
      each,
      exactlyOnce: true,
      retry: { minDelayMs: 1, maxDelayMs: 1, maxAttempts: 1_000 },
    })
    await consumer.start()
    await db.transaction(() => outbox.emit(['a', 'poison', 'b'].map((key) => ({ topic: 't', key }))))
    await until(async () => (await db.team.count({ where: { code: { in: ['wa', 'wb'] } } })) === 2)
    expect(await db.team.count({ where: { code: 'wpoison' } })).toBe(0)
    isBad = false
    await until(async () => (await db.team.count({ where: { code: 'wpoison' } })) === 1)
    await consumer.close()
  })
})

describe('an exactly-once consumer whose batch takes too long', () => {
  it.each(['handle', 'each'] as const)(
    'gets less at once, and blames nobody: %s',
    async (kind) => {
      await using slow = await fedDatabase({}, { transactionTimeoutMs: 300 })
      const { db, outbox } = slow
      const take = async ({ key }: OutboxEvent) => {
        await new Promise((resolve) => setTimeout(resolve, 20))
        await db.team.create({ data: { code: key, label: key } })
      }
      const handle = async (events: readonly OutboxEvent[]) => {
        for (const event of events) await take(event)
      }
      const { consumer } = collector(outbox, {
        exactlyOnce: true,
        ...(kind === 'each' ? { each: take } : { handle }),
      })
      await db.transaction(() =>
        outbox.emit(Array.from({ length: 40 }, (_, n) => ({ topic: 't', key: `s${n}` }))),
      )
      await consumer.start()
      await until(async () => (await db.team.count()) === 40, 20_000)
      expect(consumer.metrics()).toMatchObject({ parked: 0, dead: 0 })
      await consumer.close()
    },
    30_000,
  )
})

describe('the inbox', () => {
  it('handles a message once, also when it failed the first time or comes twice at once', async () => {
    const { db, outbox } = fed
    const message = { scope: 'payments', id: 'm-1' }
    const handle = () => db.team.create({ data: { code: 'inbox', label: 'x' } })
    await expect(
      outbox.once(message, async () => {
        await handle()
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    const answers = await Promise.all([outbox.once(message, handle), outbox.once(message, handle)])
    expect(answers.map(({ isNew }) => isNew).sort()).toEqual([false, true])
    expect(await db.team.count({ where: { code: 'inbox' } })).toBe(1)
    expect(await outbox.once({ ...message, scope: 'other' }, async () => 7)).toEqual({
      isNew: true,
      value: 7,
    })
  })
})
