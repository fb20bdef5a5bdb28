import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { OutboxEvent } from '../src/index.ts'
import { createOutbox } from '../src/index.ts'
import { type FedDatabase, fedDatabase } from './support/fed-database.ts'

const sample = {
  id: '0b9b6f3e-8d5c-4c0e-9a63-0e4c3a5a9a11',
  text: 'x',
  int: 1,
  bigint: 9_007_199_254_740_993n,
  float: 0.5,
  decimal: '12345678901234.567891',
  bool: true,
  at: new Date('2026-01-02T03:04:05.678Z'),
  day: new Date('2026-01-02T00:00:00.000Z'),
  json: { a: [1, null] },
  bytes: new Uint8Array([1, 2, 255]),
  colour: 'green' as const,
  tags: ['a', 'b'],
  numbers: [1, 2],
}

async function changes(fed: FedDatabase): Promise<readonly unknown[]> {
  const rows = await fed.db.sql.query('SELECT topic, key, op, payload, before FROM orgdb.outbox ORDER BY seq')
  await fed.db.sql.query('DELETE FROM orgdb.outbox')
  return rows.map(({ topic, key, op, payload, before }) => [topic, key, op, payload, before])
}

describe.each(['client', 'trigger'] as const)('row changes by %s', (by) => {
  let fed: FedDatabase
  beforeAll(async () => {
    fed = await fedDatabase({
      models: {
        Team: { by, before: true },
        Membership: { by, cascades: 'ignore' },
        Sample: { by },
        User: { by, omit: ['email'] },
      },
    })
    await fed.outbox.installTriggers()
    await fed.outbox.installTriggers()
  })
  afterAll(() => fed[Symbol.asyncDispose]())
  beforeEach(async () => {
    await fed.db.$executeRaw`DELETE FROM team`
    await fed.db.$executeRaw`DELETE FROM users`
    await fed.db.sql.query('DELETE FROM orgdb.outbox')
  })

  it('tell every kind of single write with the whole row, and leave the result as it was', async () => {
    const { db } = fed
    expect(await db.team.create({ data: { code: 'a', label: 'A' }, select: { label: true } })).toEqual({
      label: 'A',
    })
    expect(
      await db.team.update({ where: { code: 'a' }, data: { label: 'B' }, select: { label: true } }),
    ).toEqual({ label: 'B' })
    const upsert = (label: string) =>
      db.team.upsert({ where: { code: 'u' }, create: { code: 'u', label }, update: { label } })
    await upsert('U')
    expect(await upsert('V')).toEqual({ code: 'u', label: 'V' })
    await db.team.update({ where: { code: 'u' }, data: { code: 'v' } })
    expect(await db.team.delete({ where: { code: 'v' } })).toEqual({ code: 'v', label: 'V' })
    expect(await changes(fed)).toEqual([
      ['Team', 'Team:a', 'c', { code: 'a', label: 'A' }, null],
      ['Team', 'Team:a', 'u', { code: 'a', label: 'B' }, { code: 'a', label: 'A' }],
      ['Team', 'Team:u', 'c', { code: 'u', label: 'U' }, null],
      ['Team', 'Team:u', 'u', { code: 'u', label: 'V' }, { code: 'u', label: 'U' }],
      ['Team', 'Team:u', 'd', null, { code: 'u', label: 'V' }],
      ['Team', 'Team:v', 'c', { code: 'v', label: 'V' }, null],
      ['Team', 'Team:v', 'd', null, { code: 'v', label: 'V' }],
    ])
  })

  it('tell bulk writes row by row', async () => {
    const { db } = fed
    const data = ['a', 'b', 'c'].map((code) => ({ code, label: code }))
    expect(await db.team.createMany({ data, skipDuplicates: true })).toEqual({ count: 3 })
    expect(
      await db.team.createManyAndReturn({ data: [{ code: 'd', label: 'd' }], select: { label: true } }),
    ).toEqual([{ label: 'd' }])
    expect(await db.team.updateMany({ where: { code: { in: ['a', 'b'] } }, data: { label: 'x' } })).toEqual({
      count: 2,
    })
    expect(
      await db.team.updateManyAndReturn({
        where: { code: 'c' },
        data: { label: 'y' },
        select: { label: true },
      }),
    ).toEqual([{ label: 'y' }])
    expect(await db.team.updateMany({ where: { code: 'none' }, data: { label: 'x' } })).toEqual({ count: 0 })
    expect(await db.team.deleteMany({ where: { label: { in: ['x', 'y'] } } })).toEqual({ count: 3 })
    expect(await db.team.deleteMany({ where: { label: 'x' } })).toEqual({ count: 0 })
    const told = (await changes(fed)).map((row) => (row as unknown[]).slice(1, 3).join(' ')).sort()
    expect(told).toEqual(
      ['a c', 'a d', 'a u', 'b c', 'b d', 'b u', 'c c', 'c d', 'c u', 'd c'].map((each) => `Team:${each}`),
    )
  })

  it('are in the same commit as the data, with and without a transaction around', async () => {
    const { db } = fed
    await db
      .transaction(async () => {
        await db.team.create({ data: { code: 'a', label: 'A' } })
        throw new Error('no')
      })
      .catch(() => undefined)
    await db.team.create({ data: { code: 'b', label: 'B' } })
    await db.team.create({ data: { code: 'b', label: 'twice' } }).catch(() => undefined)
    expect(await changes(fed)).toHaveLength(1)
  })

  it('keep values as JSON has them, without what is to stay out', async () => {
    const { db } = fed
    await db.sample.create({ data: sample })
    await db.user.create({ data: { id: 1, email: 'secret', name: 'Ada', createdAt: sample.at } })
    await db.team.create({ data: { code: 't', label: 't' } })
    await db.membership.create({ data: { userId: 1, teamCode: 't' } })
    const stored = await db.sample.findFirstOrThrow()
    const told = (await changes(fed)) as unknown[][]
    const asJson = JSON.parse(
      JSON.stringify(stored, (_, value) => (typeof value === 'bigint' ? String(value) : value)),
    ) as object
    expect(told[0]?.[3]).toEqual({ ...asJson, bytes: 'AQL/', decimal: '12345678901234.567891' })
    expect(told[1]).toEqual([
      'User',
      'User:1',
      'c',
      { id: 1, name: 'Ada', createdAt: '2026-01-02T03:04:05.678Z' },
      null,
    ])
    expect(told[3]?.slice(1, 4)).toEqual([
      'Membership:1,t',
      'c',
      { userId: 1, teamCode: 't', role: 'member' },
    ])
    await db.sample.deleteMany()
  })

  if (by === 'trigger') {
    it('see raw SQL, cascades, nested writes, batches and TRUNCATE', async () => {
      const { db } = fed
      await db.team.create({
        data: { code: 't', label: 't', members: { create: { user: { create: { email: 'n' } } } } },
      })
      await db.$executeRaw`UPDATE team SET label = 'raw'`
      await db.$executeRaw`UPDATE team SET label = 'raw'`
      await db.$transaction([db.team.create({ data: { code: 'batch', label: 'x' } })])
      await db.team.delete({ where: { code: 't' } })
      await db.$executeRaw`TRUNCATE team CASCADE`
      const told = (await changes(fed)).map((row) => (row as unknown[]).slice(1, 3).join(' '))
      expect(told.map((each) => each.replace(/:\d+/u, ':N'))).toEqual([
        'Team:t c',
        'User:N c',
        'Membership:N,t c',
        'Team:t u',
        'Team:batch c',
        'Team:t d',
        'Membership:N,t d',
        'Team:batch d',
      ])
    })

    it('end with the triggers', async () => {
      await fed.outbox.removeTriggers(['Team'])
      await fed.db.team.create({ data: { code: 'silent', label: 'x' } })
      expect(await changes(fed)).toEqual([])
      await fed.outbox.installTriggers()
    })
  } else {
    it('refuse writes whose rows the client can not see', async () => {
      const { db, other } = fed
      const refused = { code: 'DB_OUTBOX_UNSEEN_WRITE' }
      const nested = { code: 't', label: 't', members: { create: { user: { create: { email: 'n' } } } } }
      await expect(db.team.create({ data: nested })).rejects.toMatchObject(refused)
      await expect(
        db.$transaction([db.team.create({ data: { code: 'batch', label: 'x' } })]),
      ).rejects.toMatchObject(refused)
      expect(() => other({ models: { Membership: {} } })).toThrow(/Cascade of user/)
      expect(() => other({ models: { Nobody: {} } })).toThrow(/no model Nobody/)
      expect(() => other({ models: { Team: { omit: ['code'] } } })).toThrow(/no field beside the key/)
      expect(await changes(fed)).toEqual([])
      expect(createOutbox().triggerSql()).toBe('')
    })
  }

  it('reach consumers as changes', async () => {
    const { db, outbox } = fed
    const got: OutboxEvent[] = []
    const sink = {
      name: 'sink',
      write: async (all: readonly unknown[]) => void got.push(...(all as OutboxEvent[])),
    }
    await using consumer = outbox.consumer({ name: `sink ${by}`, from: 'now', sink })
    await consumer.start()
    await db.team.create({ data: { code: 'z', label: 'Z' } })
    await db.team.delete({ where: { code: 'z' } })
    await expect.poll(() => got.length).toBe(2)
    expect(got).toMatchObject([
      { model: 'Team', kind: 'create', key: 'Team:z', after: { code: 'z', label: 'Z' } },
      { model: 'Team', kind: 'delete', key: 'Team:z', after: null, before: { code: 'z', label: 'Z' } },
    ])
  })
})
