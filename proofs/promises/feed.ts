import { installSchema } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { createOutbox, type Outbox, outboxSchema } from '@org/db-outbox'
import { startPgBouncer, startPostgres, whichServers } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import pg from 'pg'
import { type ReaderRoute, startReaders } from '../src/feed/reader-process.ts'
import { type Written, write } from '../src/feed/writers.ts'
import type { Check, Prove, ProveOptions } from '../src/proof.ts'

export const title =
  'The feed loses nothing, keeps the order of each key and never stalls, while writers roll back and readers are killed.'

const scales = {
  full: { runs: 10, seconds: 20, killEveryMs: 1_000, readers: 3 },
  short: { runs: 1, seconds: 3, killEveryMs: 1_000, readers: 2 },
} as const
const writers = 12
const keys = 40
/** A reader's lease, and what its successor needs to find out. */
const takeoverMs = 2_000

const tables = `
  CREATE TABLE proof_key (key text PRIMARY KEY, n int NOT NULL) WITH (fillfactor = 50);
  CREATE TABLE proof_exact (id bigserial PRIMARY KEY, run text NOT NULL, key text NOT NULL, n int NOT NULL, at timestamptz DEFAULT clock_timestamp());
  CREATE TABLE proof_plain (LIKE proof_exact INCLUDING ALL);
  CREATE TABLE proof_unrelated (id int);`

export const prove: Prove = async (options) => {
  const { report, scale, signal } = options
  await using server = await startPostgres({ maxConnections: 200 })
  await using database = await server.createDatabase()
  const pooler = (await whichServers()).find(({ server: name }) => name === 'pgbouncer')
  await using bouncer = pooler?.available ? await startPgBouncer({ url: server.url }) : undefined
  if (!bouncer) report.figure({ name: 'PgBouncer', value: `left out: ${pooler?.detail}` })

  const outbox = createOutbox()
  await using db = createDatabase({
    url: database.url,
    pool: { max: writers + 4 },
    client: (adapter) => new PrismaClient({ adapter }),
    use: [outbox],
  })
  await db.sql.query(tables)
  await installSchema(db.sql, [outboxSchema])

  // Somebody else's transaction, with a write in it, is open from the beginning to the end.
  const unrelated = new pg.Client({ connectionString: database.url })
  await unrelated.connect()
  await unrelated.query('BEGIN; INSERT INTO proof_unrelated VALUES (1)')
  const openedAt = performance.now()
  const checks: Check[] = []
  try {
    for (let run = 1; run <= scales[scale].runs; run += 1) {
      signal.throwIfAborted()
      const pooled = bouncer && run % 2 === 0
      const route: ReaderRoute = {
        run: `r${run}`,
        url: pooled ? bouncer.database(database.name) : database.url,
        ...(pooled && { directUrl: database.url }),
        poolMode: pooled ? 'transaction' : 'direct',
      }
      const name = `run ${run}${pooled ? ' through PgBouncer' : ''}`
      report.progress(name)
      checks.push(...(await proveRun({ db, outbox }, route, { ...options, name })))
    }
    report.figure({
      name: 'unrelated transaction held open',
      value: Math.round((performance.now() - openedAt) / 1_000),
      unit: 's',
    })
  } finally {
    await unrelated.end()
  }
  return checks
}

async function proveRun(
  feed: { readonly db: Database<PrismaClient>; readonly outbox: Outbox },
  route: ReaderRoute,
  { scale, report, name }: ProveOptions & { readonly name: string },
): Promise<readonly Check[]> {
  const { db } = feed
  const { seconds, killEveryMs, readers: count } = scales[scale]
  const readers = await startReaders(route, count)
  try {
    const untilMs = performance.now() + seconds * 1_000
    let isWriting = true
    const kill = async (): Promise<void> => {
      for (let next = performance.now() + killEveryMs; isWriting; next += killEveryMs) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
        if (isWriting) await readers.killOne()
      }
    }
    const killing = kill()
    const written = await write(feed, { run: route.run, writers, keys, untilMs })
    isWriting = false
    const writtenAt = performance.now()
    const total = [...written.byKey.values()].reduce((sum, n) => sum + n, 0)
    const delivered = await caughtUp(db, route.run, total)
    const caughtUpMs = Math.round(performance.now() - writtenAt)
    await killing
    const stallMs = await longestStall(db, route.run)
    for (const [figure, value] of Object.entries({
      'transactions committed': written.committed,
      'rolled back': written.rolledBack,
      'savepoints rolled back': written.savepointsRolledBack,
      events: total,
      'readers killed': readers.killed,
      'longest time without a delivery, ms': stallMs,
      'through after the last commit, ms': caughtUpMs,
    })) {
      report.figure({ name: `${name}: ${figure}`, value })
    }
    return await checksOf(db, { name, run: route.run, written, delivered, stallMs, killed: readers.killed })
  } finally {
    await readers.stop()
  }
}

/** Waits until both consumers have everything, or for long enough to say that they never will. */
async function caughtUp(db: Database<PrismaClient>, run: string, total: number): Promise<boolean> {
  const end = performance.now() + 15_000
  while (performance.now() < end) {
    const [row] = await db.sql.query<{ exact: number; plain: number }>(
      `SELECT (SELECT count(*) FROM proof_exact WHERE run = $1)::int AS exact,
              (SELECT count(DISTINCT (key, n)) FROM proof_plain WHERE run = $1)::int AS plain`,
      [run],
    )
    if (row && row.exact >= total && row.plain >= total) return true
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  return false
}

async function longestStall(db: Database<PrismaClient>, run: string): Promise<number> {
  const [row] = await db.sql.query<{ ms: number }>(
    `SELECT coalesce(max(extract(epoch FROM gap)) * 1000, 0)::int AS ms
     FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap FROM proof_exact WHERE run = $1) gaps`,
    [run],
  )
  return row?.ms ?? 0
}

async function checksOf(
  db: Database<PrismaClient>,
  given: {
    readonly name: string
    readonly run: string
    readonly written: Written
    readonly delivered: boolean
    readonly stallMs: number
    readonly killed: number
  },
): Promise<readonly Check[]> {
  const { name, run, written, stallMs } = given
  const exact = await deliveries(db, 'proof_exact', run)
  const plain = await deliveries(db, 'proof_plain', run)
  const lost = [...written.byKey].filter(([key, n]) => (exact.get(key)?.length ?? 0) < n)
  const wrong = [...exact].filter(
    ([key, all]) => all.some((n, at) => n !== at + 1) || all.length !== written.byKey.get(key),
  )
  // At least once: repetitions may come, but nothing new before what was before it.
  const inverted = [...plain].filter(([, all]) => {
    let highest = 0
    return all.some((n) => {
      if (n > highest + 1) return true
      highest = Math.max(highest, n)
      return false
    })
  })
  return [
    {
      name: 'every committed event arrives at both consumers',
      passed: given.delivered && lost.length === 0,
      detail: `${lost.length} keys lack events`,
    },
    {
      name: 'an exactly-once consumer writes each event once, in the order of its key, and nothing that was rolled back',
      passed: wrong.length === 0,
      detail: `${wrong.length} of ${exact.size} keys differ: ${wrong.slice(0, 2).map(([key, all]) => `${key} ${all.join(',').slice(0, 200)}`)}`,
    },
    {
      name: 'an at-least-once consumer sees nothing of one key out of order',
      passed: inverted.length === 0,
      detail: `${inverted.length} of ${plain.size} keys`,
    },
    {
      name: `deliveries never stall for more than ${takeoverMs} ms`,
      passed: stallMs <= takeoverMs,
      detail: `${stallMs} ms`,
    },
    {
      name: 'readers were killed all the while, and transactions rolled back',
      passed: given.killed > 0 && written.rolledBack > 0,
      detail: `${given.killed} killed, ${written.rolledBack} rolled back`,
    },
  ].map((check) => ({ ...check, name: `${name}: ${check.name}` }))
}

async function deliveries(
  db: Database<PrismaClient>,
  table: string,
  run: string,
): Promise<ReadonlyMap<string, readonly number[]>> {
  const rows = await db.sql.query<{ key: string; all: readonly number[] }>(
    `SELECT key, array_agg(n ORDER BY id) AS all FROM ${table} WHERE run = $1 GROUP BY key`,
    [run],
  )
  return new Map(rows.map(({ key, all }) => [key, all]))
}
