import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ConsumerOptions, createOutbox, type NewEvent, type OutboxOptions } from '../src/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let fed: FedDatabase
beforeAll(async () => {
  fed = await fedDatabase()
})
afterAll(() => fed[Symbol.asyncDispose]())

function messageOf(make: () => unknown): string {
  try {
    make()
  } catch (error) {
    expect(error).toMatchObject({ code: 'DB_OUTBOX_OPTIONS' })
    return (error as Error).message
  }
  return ''
}

describe('options', () => {
  it('of a consumer are refused all at once, by their names', () => {
    const wrong = {
      name: '',
      topics: [],
      from: 'yesterday',
      handle: 'nope',
      exactlyOnce: 'no',
      batch: { maxCount: 0, size: 3 },
      concurrency: 17,
      retry: { minDelayMs: 10, maxDelayMs: 5 },
      afterDead: 'explode',
      poll: { minMs: 100, maxMs: 50 },
      leaseMs: 1,
      surprise: true,
    }
    const message = messageOf(() => fed.outbox.consumer(wrong as unknown as ConsumerOptions))
    const named = [
      'name',
      'topics',
      'from',
      'handle',
      'exactlyOnce',
      'batch.maxCount',
      'batch.size',
      'concurrency',
    ]
    for (const field of [...named, 'retry.maxDelayMs', 'afterDead', 'poll.maxMs', 'leaseMs', 'surprise']) {
      expect(message).toContain(field)
    }
    for (const topics of ['x', [1]]) {
      const options = { name: 'x', topics, handle: async () => undefined }
      expect(messageOf(() => fed.outbox.consumer(options as unknown as ConsumerOptions))).toContain('topics')
    }
    expect(messageOf(() => fed.outbox.consumer(undefined as never))).toContain('options')
  })

  it('of an outbox, too', () => {
    const wrong = {
      models: { Team: { by: 'magic' } },
      modles: {},
      upcasters: { t: 5, u: { zero: () => 1 } },
      notify: 'yes',
      retention: { keepMs: -5, partitionEvents: 0, evictAfterMs: 'never' },
    }
    const message = messageOf(() => createOutbox(wrong as unknown as OutboxOptions))
    const named = [
      'models.Team.by',
      'modles',
      'upcasters.t',
      'upcasters.u.zero',
      'notify',
      'retention.keepMs',
    ]
    for (const field of [...named, 'retention.partitionEvents', 'retention.evictAfterMs']) {
      expect(message).toContain(field)
    }
  })

  it('of jobs, before anything is stored', async () => {
    const { outbox } = fed
    const refused = { code: 'DB_OUTBOX_OPTIONS' }
    await expect(outbox.backfill('Team', { consumer: 'x', chunk: -1, rowsPerSecond: 0 })).rejects.toThrow(
      /chunk.*rowsPerSecond/,
    )
    await expect(outbox.replay('x', { from: new Date('never') })).rejects.toMatchObject(refused)
    await expect(outbox.replay('x', { keys: [] })).rejects.toMatchObject(refused)
  })
})

describe('an event that can not be stored', () => {
  it.each([
    [null],
    [{ key: 'k' }],
    [{ topic: 't' }],
    [{ topic: 't', key: '' }],
    [{ topic: 't', key: 'a\0b' }],
    [{ topic: 't', key: '\ud800' }],
    [{ topic: 't', key: 'k', version: 0 }],
    [{ topic: 't', key: 'k', version: 1.5 }],
    [{ topic: 't', key: 'k', version: 70_000 }],
    [{ topic: 't', key: 'k', payload: { deep: ['a\0b'] } }],
    [{ topic: 't', key: 'k', payload: 'half \udc00' }],
    [{ topic: 't', key: 'k', headers: { n: 1 } }],
  ])('is refused before SQL, so that its transaction goes on: %j', async (event) => {
    await fed.db.transaction(async () => {
      await expect(fed.outbox.emit(event as NewEvent)).rejects.toMatchObject({ code: 'DB_OUTBOX_PAYLOAD' })
      expect(await fed.db.team.count()).toBe(0)
    })
  })

  it('is none whose text only looks so', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'looks', from: 'now' })
    await consumer.start()
    const payload = { text: '\\u0000 \\\\ud800 😀 \n' }
    await db.transaction(() => outbox.emit({ topic: 't', key: '😀', payload }))
    await until(() => got.length === 1)
    expect(got[0]?.payload).toEqual(payload)
    await consumer.close()
  })
})

describe('an operator', () => {
  it('is told when there is no such consumer', async () => {
    const { outbox } = fed
    const refused = { code: 'DB_OUTBOX_NOT_FOUND' }
    await expect(outbox.deadLetters('nobody')).rejects.toMatchObject(refused)
    await expect(outbox.redrive('nobody')).rejects.toMatchObject(refused)
    await expect(outbox.skip('nobody', 1)).rejects.toMatchObject(refused)
  })

  it('can skip an event twice, and replays no further than there is', async () => {
    const { db, outbox } = fed
    const { consumer, got } = collector(outbox, { name: 'ops', from: 'now' })
    await consumer.start()
    await db.transaction(() => outbox.emit({ topic: 'ops', key: 'k' }))
    await until(() => got.length === 1)
    const seq = got[0]?.seq ?? 0
    await outbox.skip('ops', seq)
    await outbox.skip('ops', seq)
    const marks = await db.sql.query(
      `SELECT 1 FROM orgdb.outbox_parked WHERE consumer = 'ops' AND state = 'skip'`,
    )
    expect(marks).toHaveLength(1)
    await outbox.replay('ops', { topics: ['ops'], upTo: 1_000_000 })
    await until(async () => (await outbox.jobs({ consumer: 'ops' }))[0]?.state === 'done')
    expect(got.map(({ seq: each }) => each)).toEqual([seq, seq])
    await consumer.close()
  })

  it('is not told how many rows a table has that was never analysed', async () => {
    const { db, outbox } = fed
    const { consumer } = collector(outbox, { name: 'unknown', from: 'now' })
    await consumer.start()
    await consumer.close()
    await db.sql.query(
      `CREATE TABLE fresh (LIKE team INCLUDING ALL); DROP TABLE team CASCADE; ALTER TABLE fresh RENAME TO team`,
    )
    await outbox.backfill('Team', { consumer: 'unknown' })
    expect(await outbox.jobs({ consumer: 'unknown' })).toMatchObject([{ total: undefined, etaMs: undefined }])
  })

  it('is told what to do where the tables are missing', async () => {
    await using bare = await fedDatabase()
    await bare.db.sql.query('DROP SCHEMA orgdb CASCADE')
    const { outbox } = bare.other()
    const { consumer } = collector(outbox)
    const refused = { code: 'DB_OUTBOX_SCHEMA', message: expect.stringContaining('installSchema') as string }
    await expect(consumer.start()).rejects.toMatchObject(refused)
    await expect(outbox.status()).rejects.toMatchObject(refused)
    await expect(bare.db.transaction(() => bare.outbox.emit({ topic: 't', key: 'k' }))).rejects.toMatchObject(
      refused,
    )
  })
})
