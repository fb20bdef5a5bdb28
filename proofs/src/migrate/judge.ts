import { createMigrator } from '@org/db-migrations'
import pg from 'pg'
import type { Check } from '../proof.ts'
import { steps } from './folder.ts'

/** Waits until the server has noticed that the runner is dead. */
export async function untilGone(client: pg.Client): Promise<void> {
  const sql = `SELECT count(*)::int AS left FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'org-db migrations'`
  while ((await client.query<{ left: number }>(sql)).rows[0]?.left !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

interface Note {
  readonly step: string
  readonly parts: readonly string[]
}

async function notes(client: pg.Client): Promise<readonly Note[]> {
  const { rows: found } = await client.query("SELECT to_regclass('note') AS note")
  if (found[0]?.note === null) return []
  const { rows } = await client.query<Note>(
    'SELECT step, array_agg(part ORDER BY part) AS parts FROM note GROUP BY step',
  )
  return rows
}

/** What a dead runner has left: no half of any transaction. */
export async function judgeInterrupted(client: pg.Client, where: string): Promise<readonly Check[]> {
  const half = (await notes(client)).filter(({ parts }) => parts.join() !== 'begin,end')
  return [
    {
      name: `${where}: no transaction is there by half or twice`,
      passed: half.length === 0,
      detail: JSON.stringify(half),
    },
  ]
}

/** What must be there in the end: everything, once. */
export async function judgeDone(url: string, directory: string, where: string): Promise<readonly Check[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const seen = await notes(client)
    const once = steps.every((step) => seen.find((each) => each.step === step)?.parts.join() === 'begin,end')
    const { rows } = await client.query<Record<string, number>>(`SELECT
      (SELECT count(*)::int FROM film WHERE visits = 1 AND title = 'a') AS films,
      (SELECT count(*)::int FROM pg_index WHERE NOT indisvalid) AS invalid,
      (SELECT count(*)::int FROM pg_class WHERE relname IN ('film_title', 'film_once')) AS indexes,
      (SELECT count(*)::int FROM _prisma_migrations WHERE finished_at IS NOT NULL AND rolled_back_at IS NULL
         AND applied_steps_count = 1) AS finished,
      (SELECT count(*)::int FROM _prisma_migrations) AS rows`)
    const expected = { films: 40, invalid: 0, indexes: 1, finished: 6, rows: 6 }
    const migrator = createMigrator({ url, directory })
    const { upToDate } = await migrator.status()
    const again = await migrator.deploy()
    return [
      { name: `${where}: every transaction is there once`, passed: once, detail: JSON.stringify(seen) },
      {
        name: `${where}: rows visited once, indexes whole, one finished row of history for each migration`,
        passed: JSON.stringify(rows[0]) === JSON.stringify(expected),
        detail: JSON.stringify(rows[0]),
      },
      {
        name: `${where}: nothing is left to do`,
        passed: upToDate && again.applied.length + again.data.length === 0,
        detail: JSON.stringify(again),
      },
    ]
  } finally {
    await client.end()
  }
}
