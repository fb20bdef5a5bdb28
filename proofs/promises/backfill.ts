import { readFile } from 'node:fs/promises'
import { installSchema } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import { createOutbox, type Outbox, type OutboxEvent, outboxSchema } from '@org/db-outbox'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'A backfill beside live changes, with deliveries doubled and shuffled, leaves the target equal to the source.'

const scales = {
  full: { runs: 10, rows: 5_000, seconds: 10 },
  short: { runs: 1, rows: 800, seconds: 2 },
} as const

/** What any sink does: a greater version wins, and the versions of deleted rows are kept. */
const target = `
  CREATE TABLE proof_target (
    key text PRIMARY KEY, version numeric NOT NULL, deleted boolean NOT NULL, doc jsonb
  );`
const upsert = `
  INSERT INTO proof_target AS t SELECT DISTINCT ON (key) * FROM jsonb_to_recordset($1::jsonb)
    AS e(key text, version numeric, deleted boolean, doc jsonb) ORDER BY key, version DESC
  ON CONFLICT (key) DO UPDATE SET version = excluded.version, deleted = excluded.deleted, doc = excluded.doc
  WHERE t.version <= excluded.version`

interface World {
  readonly db: Database<PrismaClient>
  readonly outbox: Outbox
}

export const prove: Prove = async ({ scale, report, signal }) => {
  await using server = await startPostgres()
  const setup = await readFile(
    new URL(import.meta.resolve('@org/prisma/migrations/0001_init/migration.sql')),
    'utf8',
  )
  const checks: Check[] = []
  for (let run = 1; run <= scales[scale].runs; run += 1) {
    signal.throwIfAborted()
    report.progress(`run ${run}`)
    const template = await server.template({ name: 'backfill', setup })
    await using database = await template.createDatabase()
    const outbox = createOutbox({ models: { User: { by: 'trigger' } } })
    await using db = createDatabase({
      url: database.url,
      metadata,
      client: (adapter) => new PrismaClient({ adapter }),
      use: [outbox],
    })
    const { figures, differences, ghosts } = await proveRun({ db, outbox }, scales[scale])
    for (const [name, value] of Object.entries(figures)) report.figure({ name: `run ${run}: ${name}`, value })
    checks.push(
      {
        name: `run ${run}: the target equals the source, row by row`,
        passed: differences.length === 0,
        detail: `${differences.length} differ: ${JSON.stringify(differences.slice(0, 3))}`,
      },
      {
        name: `run ${run}: rows that had long been deleted are gone from the target`,
        passed: ghosts === 0,
        detail: `${ghosts} ghosts`,
      },
      {
        name: `run ${run}: backfills ran beside live changes, with repeated deliveries`,
        passed: figures.live > 100 && figures.repeated > 100 && figures.filled > 0,
        detail: JSON.stringify(figures),
      },
    )
  }
  return checks
}

async function proveRun(
  { db, outbox }: World,
  { rows, seconds }: { readonly rows: number; readonly seconds: number },
) {
  await installSchema(db.sql, [outboxSchema])
  await db.sql.query(target)
  await db.sql.query(
    `INSERT INTO users (email, name) SELECT 'u' || n, 'old' FROM generate_series(1, ${rows}) n`,
  )
  await outbox.installTriggers()
  // What an earlier life of the target left behind: rows that are gone, and rows as they once were.
  await db.sql.query(
    `INSERT INTO proof_target SELECT 'User:' || n, 5, false, '{"stale": true}' FROM generate_series(1, ${rows + 200}) n`,
  )

  const figures = { live: 0, filled: 0, repeated: 0, writes: 0 }
  const held: OutboxEvent[] = []
  /** Writes a batch, some of it twice, in any order, and some of it again much later. */
  async function handle(events: readonly OutboxEvent[]): Promise<void> {
    figures[events[0]?.origin === 'live' ? 'live' : 'filled'] += events.length
    const again = events.filter(() => Math.random() < 0.1)
    const later = held.splice(0, Math.floor(Math.random() * held.length))
    figures.repeated += again.length + later.length
    held.push(...again, ...events.filter(() => Math.random() < 0.05))
    const all = shuffled([...events, ...again, ...later])
    for (let at = 0; at < all.length; at += 50) {
      const docs = all.slice(at, at + 50).map(({ key, version, kind, after }) => ({
        key,
        version: String(version),
        deleted: kind === 'delete',
        doc: after ?? null,
      }))
      await db.sql.query(upsert, [JSON.stringify(docs)])
    }
  }
  const consumer = outbox.consumer({ name: 'target', handle, concurrency: 4, batch: { maxCount: 100 } })
  await consumer.start()
  const untilMs = performance.now() + seconds * 1_000
  const writing = Promise.all(
    Array.from({ length: 4 }, () =>
      change(db, rows, untilMs, () => {
        figures.writes += 1
      }),
    ),
  )
  const chunk = Math.ceil(rows / 40)
  const first = await outbox.backfill('User', {
    consumer: 'target',
    chunk,
    rowsPerSecond: (rows / seconds) * 2,
  })
  await outbox.backfill('User', { consumer: 'target', chunk: chunk * 2 })
  await writing
  await until(async () => (await outbox.jobs()).every(({ state }) => state === 'done'))
  await until(async () => (await outbox.status()).consumers[0]?.lagEvents === 0)
  await consumer.close()
  // What the source has was written with a version from there on.
  await db.sql.query('DELETE FROM proof_target WHERE version < $1', [String(first.sinceVersion)])
  const differences = await db.sql.query(
    `SELECT u.id, t.key, t.version FROM users u
     FULL JOIN (SELECT * FROM proof_target WHERE NOT deleted) t ON t.key = 'User:' || u.id
     WHERE t.key IS NULL OR u.id IS NULL OR t.doc->>'name' IS DISTINCT FROM u.name OR t.doc->>'email' IS DISTINCT FROM u.email`,
  )
  const [{ ghosts = 0 } = {}] = await db.sql.query<{ ghosts: number }>(
    `SELECT count(*)::int AS ghosts FROM proof_target WHERE doc ? 'stale'`,
  )
  return { figures, differences, ghosts }
}

/** Creates, changes and deletes rows, some in one transaction, some by raw SQL. */
async function change(
  db: Database<PrismaClient>,
  rows: number,
  untilMs: number,
  tell: () => void,
): Promise<void> {
  while (performance.now() < untilMs) {
    const id = 1 + Math.floor(Math.random() * rows)
    const name = `n${Math.random()}`
    const dice = Math.random()
    if (dice < 0.15) await db.user.deleteMany({ where: { id } })
    else if (dice < 0.3)
      await db.user.createMany({ data: [{ id, email: `u${id}`, name }], skipDuplicates: true })
    else if (dice < 0.6)
      await db.$executeRaw`UPDATE users SET name = ${name} WHERE id BETWEEN ${id} AND ${id + 3}`.catch(
        deadlock,
      )
    else await db.user.updateMany({ where: { id }, data: { name } })
    tell()
  }
}

function deadlock(error: unknown): void {
  if ((error as { code?: string }).code !== 'DB_DEADLOCK') throw error
}

function shuffled<T>(list: readonly T[]): readonly T[] {
  return list
    .map((value) => ({ value, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ value }) => value)
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error('waited in vain')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
