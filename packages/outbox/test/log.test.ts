import { readFile } from 'node:fs/promises'
import { type PostgresServer, startPostgres } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CaptureOptions, OutboxEvents } from '../src/index.ts'
import { createLogRelay, type LogRelay, type LogRelayOptions } from '../src/log/index.ts'
import { collector, type FedDatabase, fedDatabase, until } from './support/fed-database.ts'

let server: PostgresServer
beforeAll(async () => {
  server = await startPostgres({ settings: { wal_level: 'logical', max_slot_wal_keep_size: '1GB' } })
}, 60_000)
afterAll(() => server.stop())

let slots = 0
/** A name of its own: slots are of the whole server. */
const slotName = (): string => `slot_${++slots}`

type Models = Readonly<Record<string, CaptureOptions>>

async function logged(
  models: Models,
  options: Partial<LogRelayOptions> = {},
): Promise<{ readonly fed: FedDatabase; readonly relay: LogRelay; [Symbol.asyncDispose](): Promise<void> }> {
  const fed = await fedDatabase({ models }, {}, server)
  const relay = createLogRelay(fed.outbox, { url: fed.database.url, slot: slotName(), ...options })
  await relay.install()
  await relay.start()
  return {
    fed,
    relay,
    async [Symbol.asyncDispose]() {
      await relay.close()
      await relay.drop()
      await fed[Symbol.asyncDispose]()
    },
  }
}

async function stored(fed: FedDatabase, topic: string, count: number): Promise<readonly unknown[][]> {
  const read = () =>
    fed.db.sql.query<{ key: string; op: string; payload: unknown; before: unknown }>(
      'SELECT key, op, payload, before FROM orgdb.outbox WHERE topic = $1 ORDER BY seq',
      [topic],
    )
  await until(async () => (await read()).length >= count)
  return (await read()).map(({ key, op, payload, before }) => [key, op, payload, before])
}

describe('row changes by log', () => {
  it('tell what raw SQL, cascades and TRUNCATE did, and nothing of what was rolled back', async () => {
    await using scene = await logged({ Team: { by: 'log', before: true }, Membership: { by: 'log' } })
    const { db } = scene.fed
    const { got, consumer } = collector(scene.fed.outbox, { topics: ['Team'] })
    await consumer.start()
    await db.$executeRaw`INSERT INTO team VALUES ('a', 'A'), ('b', 'B')`
    await db.team.update({ where: { code: 'a' }, data: { label: 'A2' } })
    await db.team.update({ where: { code: 'a' }, data: { label: 'A2' } })
    await db.user.create({ data: { id: 1, email: 'x@y', teams: { create: { teamCode: 'a' } } } })
    const undone = new Error('undone')
    await expect(
      db.transaction(async () => {
        await db.team.create({ data: { code: 'c', label: 'C' } })
        throw undone
      }),
    ).rejects.toBe(undone)
    await db.transaction(async () => {
      await db
        .transaction(() =>
          db.team.create({ data: { code: 's', label: 'S' } }).then(() => Promise.reject(undone)),
        )
        .catch(() => undefined)
      await db.team.update({ where: { code: 'b' }, data: { code: 'z' } })
    })
    await db.team.delete({ where: { code: 'a' } })
    await db.sql.query('TRUNCATE team CASCADE')
    expect(await stored(scene.fed, 'Team', 7)).toEqual([
      ['Team:a', 'c', { code: 'a', label: 'A' }, null],
      ['Team:b', 'c', { code: 'b', label: 'B' }, null],
      ['Team:a', 'u', { code: 'a', label: 'A2' }, { code: 'a', label: 'A' }],
      ['Team:b', 'd', null, { code: 'b', label: 'B' }],
      ['Team:z', 'c', { code: 'z', label: 'B' }, null],
      ['Team:a', 'd', null, { code: 'a', label: 'A2' }],
      ['Team:z', 'd', null, { code: 'z', label: 'B' }],
    ])
    expect(await stored(scene.fed, 'Membership', 2)).toMatchObject([
      ['Membership:1,a', 'c', { userId: 1, teamCode: 'a' }, null],
      ['Membership:1,a', 'd', null, { userId: 1, teamCode: 'a' }],
    ])
    await until(() => got.length === 7)
    expect(got.map(({ key, kind }) => `${key} ${kind}`)).toContain('Team:z delete')
    await consumer.close()
  })

  it('hold the same values as by trigger, of every type, of large ones too that did not change', async () => {
    const types = await readFile(
      new URL('../../../prisma/migrations/0004_types/migration.sql', import.meta.url),
      'utf8',
    )
    const large = 'x'.repeat(20_000)
    async function play(by: 'log' | 'trigger'): Promise<readonly unknown[][]> {
      await using fed = await fedDatabase(
        { models: { Assortment: { by, before: true, omit: ['money', 'xml'] } } },
        {},
        server,
      )
      await fed.db.sql.query(types)
      const relay =
        by === 'log' ? createLogRelay(fed.outbox, { url: fed.database.url, slot: slotName() }) : undefined
      await (relay ? relay.install() : fed.outbox.installTriggers())
      await relay?.start()
      await fed.db.sql.query(`
        INSERT INTO assortment (id, text, varchar, char, uuid, citext, inet, bit, var_bit, int, small_int, oid, bigint, float, real,
          "decimal", "numeric", "boolean", "timestamp", timestamp_6, timestamp_tz, date, time, time_tz, json, jsonb, bytes, level,
          texts, uuids, ints, bigints, floats, decimals, booleans, timestamps, dates, times, jsons, blobs, levels)
        VALUES (1, 'a"b\\c' || chr(10) || 'ö✓', 'v', 'c', '0b9b6f3e-8d5c-4c0e-9a63-0e4c3a5a9a11', 'CiText', '10.0.0.1/8', B'1010', B'101',
          -1, 2, 4000000000, 9007199254740993, 1e300, 'NaN', 12345678901234567890.123456789, 0.1, true, '2026-01-02 03:04:05.678',
          '2026-01-02 03:04:05.678901', '2026-01-02 03:04:05+05', '0044-03-15', '03:04:05.5', '03:04:05+02', '{"a": 1.0, "b": [null, "x"]}',
          '{"n": 12345678901234567890.5}', '\\x00ff10', 'level 3', '{"a,b","c\\"d",NULL,""}', '{0b9b6f3e-8d5c-4c0e-9a63-0e4c3a5a9a11}',
          '{1,2}', '{9007199254740993}', '{0.5,Infinity}', '{1.50}', '{t,f}', '{"2026-01-02 03:04:05"}', '{2026-01-02}', '{03:04:05}',
          ARRAY['{"k": "v"}'::jsonb, '"s"'::jsonb], ARRAY['\\x01'::bytea], '{level-1,middle}'),
          (2, '${large}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
          NULL, NULL, NULL, 'null', 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)`)
      await fed.db.sql.query('ALTER TABLE assortment ALTER text SET STORAGE EXTERNAL')
      await fed.db.sql.query(`UPDATE assortment SET text = '${large}' || 'y' WHERE id = 2`)
      await fed.db.sql.query('UPDATE assortment SET int = 5 WHERE id = 2')
      await fed.db.sql.query('DELETE FROM assortment')
      const events = await stored(fed, 'Assortment', 6)
      await relay?.close()
      await relay?.drop()
      return events
    }
    const expected = await play('trigger')
    expect(expected).toHaveLength(6)
    expect(await play('log')).toEqual(expected)
  })

  it('come once each and in order, whatever breaks: connections killed, relays that take over, long transactions', async () => {
    const slot = slotName()
    await using scene = await logged(
      { Team: { by: 'log', before: true } },
      { slot, maxCount: 7, standbyMs: 20 },
    )
    const { fed } = scene
    const second = fed.other()
    const spare = createLogRelay(second.outbox, { url: fed.database.url, slot, maxCount: 5, standbyMs: 20 })
    await spare.start()
    await until(async () => (await spare.status()).state === 'standby')
    let isOver = false
    const killing = (async () => {
      while (!isOver) {
        await fed.db.sql.query(
          'SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = $1 AND active',
          [slot],
        )
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
    })()
    const writer = async (name: string): Promise<void> => {
      await fed.db.$executeRaw`INSERT INTO team SELECT ${name} || i, '0' FROM generate_series(1, 20) i`
      for (let round = 1; round <= 25; round += 1) {
        await fed.db.$executeRaw`UPDATE team SET label = ${String(round)} WHERE code LIKE ${`${name}%`}`
      }
      await fed.db.$executeRaw`DELETE FROM team WHERE code = ${`${name}1`}`
    }
    await Promise.all(['p', 'q', 'r'].map(writer))
    isOver = true
    await killing
    const expected = 3 * (20 + 20 * 25 + 1)
    const events = await stored(fed, 'Team', expected)
    await spare.close()
    expect(events).toHaveLength(expected)
    for (const name of ['p', 'q', 'r']) {
      const labels = events
        .filter(([key]) => key === `Team:${name}2`)
        .map(([, , payload]) => (payload as { label: string }).label)
      expect(labels).toEqual(Array.from({ length: 26 }, (_, round) => String(round)))
    }
  }, 30_000)

  it('wait in the log while no relay runs', async () => {
    const slot = slotName()
    const fed = await fedDatabase({ models: { Team: { by: 'log' } } }, {}, server)
    const open = () => createLogRelay(fed.outbox, { url: fed.database.url, slot })
    const first = open()
    await first.install()
    await first.start()
    await fed.db.team.create({ data: { code: 'a', label: 'A' } })
    await stored(fed, 'Team', 1)
    await first.close()
    expect((await first.status()).state).toBe('stopped')
    await fed.db.team.create({ data: { code: 'b', label: 'B' } })
    const next = open()
    await next.start()
    expect((await stored(fed, 'Team', 2)).map(([key]) => key)).toEqual(['Team:a', 'Team:b'])
    await fed.outbox.close()
    await until(async () => (await next.status()).slot?.isActive === false)
    await next.drop()
    await fed[Symbol.asyncDispose]()
  })

  it('let go of the log in a database where nothing is written', async () => {
    await using scene = await logged({ Team: { by: 'log' } }, { heartbeatMs: 50 })
    const { confirmed } = (await scene.relay.status()).slot ?? {}
    await until(async () => (await scene.relay.status()).slot?.confirmed !== confirmed)
  })
})

describe('a relay', () => {
  it('names all that is missing', async () => {
    expect(() => createLogRelay({} as never, { url: 'nowhere', slot: 'No!', maxCount: 0 })).toThrow(
      /url.*slot.*maxCount/,
    )
    await using plain = await startPostgres({ settings: { max_slot_wal_keep_size: -1 } })
    const fed = await fedDatabase({ models: { Team: { by: 'log' } } }, {}, plain)
    const relay = createLogRelay(fed.outbox, { url: fed.database.url })
    await expect(relay.start()).rejects.toThrow(
      /wal_level = logical.*max_slot_wal_keep_size.*logSql was not applied to Team/,
    )
    await fed[Symbol.asyncDispose]()
  }, 60_000)

  it('reports what the server keeps too long, and what it dropped', async () => {
    await using small = await startPostgres({
      settings: {
        wal_level: 'logical',
        max_slot_wal_keep_size: '1MB',
        wal_keep_size: 0,
        min_wal_size: '32MB',
        max_wal_size: '32MB',
      },
    })
    const fed = await fedDatabase({ models: { Team: { by: 'log' } } }, {}, small)
    const reported: (keyof OutboxEvents)[] = []
    for (const name of ['outbox.log.retained', 'outbox.log.gap'] as const)
      fed.outbox.outboxEvents.on(name, () => void reported.push(name))
    const options = { url: fed.database.url, heartbeatMs: 50, alarmBytes: 1 }
    const relay = createLogRelay(fed.outbox, options)
    await relay.install()
    await relay.start()
    expect(reported).toEqual(['outbox.log.gap'])
    await until(() => reported.includes('outbox.log.retained'))
    await relay.close()
    for (let round = 0; round < 6; round += 1) {
      await fed.db.sql.query('SELECT pg_switch_wal()')
      await fed.db.team.create({ data: { code: `t${round}`, label: 'x' } })
      await fed.db.sql.query('CHECKPOINT')
    }
    const later = createLogRelay(fed.outbox, options)
    await later.start()
    await until(async () => (await later.status()).state === 'lost')
    expect(reported.filter((name) => name === 'outbox.log.gap')).toHaveLength(2)
    await later.close()
    await later.drop()
    const anew = createLogRelay(fed.outbox, options)
    await anew.start()
    await fed.db.team.create({ data: { code: 'new', label: 'x' } })
    expect((await stored(fed, 'Team', 1)).at(-1)?.[0]).toBe('Team:new')
    await anew.close()
    await fed[Symbol.asyncDispose]()
  }, 60_000)
})
