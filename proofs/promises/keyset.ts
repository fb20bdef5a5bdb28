import { readFile } from 'node:fs/promises'
import { createDatabase, type Database } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { keyset } from '@org/db-repository/keyset'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import { churn } from '../src/keyset/churn.ts'
import { type OrderEntry, randomOrder, sortedIds } from '../src/keyset/order.ts'
import { type Random, seeded } from '../src/keyset/random.ts'
import { randomRows } from '../src/keyset/rows.ts'
import { type Page, type Walked, walk } from '../src/keyset/walk.ts'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'Keyset pages show every row that is there throughout exactly once, forwards and backwards, in any order, while others come and go.'

const scales = {
  full: { walks: 120, rows: 3_000, writers: 3 },
  short: { walks: 6, rows: 150, writers: 2 },
} as const

export const prove: Prove = async ({ scale, report, signal }) => {
  const { walks, rows, writers } = scales[scale]
  await using server = await startPostgres()
  await using database = await server.createDatabase()
  await using db: Database<PrismaClient> = createDatabase({
    url: database.url,
    metadata,
    client: (adapter) => new PrismaClient({ adapter }),
  })
  const tables = new URL(import.meta.resolve('@org/prisma/migrations/0005_extras/migration.sql'))
  await db.sql.query(await readFile(tables, 'utf8'))
  const random = seeded(1)
  const wrong: string[] = []
  const figures = { pages: 0, seen: 0, passing: 0, written: 0, deleted: 0 }
  for (let index = 1; index <= walks; index += 1) {
    signal.throwIfAborted()
    if (index % 10 === 1) report.progress(`walk ${index} of ${walks}`)
    const trial = await prepare(db, random, rows)
    await using traffic = churn(db, random, writers)
    for (const direction of ['forwards', 'backwards'] as const) {
      const walked = await walk(keysetReader(db, trial), direction)
      wrong.push(
        ...faults(walked, trial).map((fault) => `${JSON.stringify(trial.orderBy)} ${direction}: ${fault}`),
      )
      figures.pages += walked.pages
      figures.seen += walked.ids.length
      figures.passing += walked.ids.filter((id) => !trial.stable.has(id)).length
    }
    await traffic.stop()
    figures.written += traffic.written()
    figures.deleted += traffic.deleted()
  }
  const noticed = await offsetsGoWrong(db, random, rows, writers)
  report.figure({ name: 'walks, each forwards and backwards', value: walks })
  report.figure({ name: 'rows that stay, in each walk', value: rows })
  report.figure({ name: 'pages read', value: figures.pages })
  report.figure({ name: 'rows seen', value: figures.seen })
  report.figure({ name: 'of these such that came or went meanwhile', value: figures.passing })
  report.figure({ name: 'rows inserted meanwhile', value: figures.written })
  report.figure({ name: 'rows deleted meanwhile', value: figures.deleted })
  return [
    {
      name: 'every row that was there throughout was seen exactly once, in its place',
      passed: wrong.length === 0,
      detail: wrong.slice(0, 5).join('; ') || 'no fault in any walk',
    },
    {
      name: 'others did come and go while pages were read',
      passed: figures.written > walks && figures.deleted > walks && figures.passing > 0,
      detail: `${figures.written} inserted, ${figures.deleted} deleted, ${figures.passing} seen`,
    },
    noticed,
  ]
}

interface Trial {
  readonly orderBy: readonly OrderEntry[]
  readonly pageSize: number
  /** The rows that stay, and their places. */
  readonly stable: ReadonlySet<number>
  readonly expected: readonly number[]
}

async function prepare(db: Database<PrismaClient>, random: Random, rows: number): Promise<Trial> {
  await db.sql.query('TRUNCATE reading RESTART IDENTITY')
  await db.sql.query(randomRows('stays', rows))
  await db.sql.query(randomRows('goes', Math.ceil(rows / 2)))
  await db.sql.query('ANALYZE reading')
  const orderBy = randomOrder(random)
  const expected = await sortedIds(db.sql, orderBy)
  return { orderBy, pageSize: 1 + Math.floor(random() * (rows / 10)), stable: new Set(expected), expected }
}

function keysetReader(db: Database<PrismaClient>, { orderBy, pageSize }: Trial) {
  const pages = keyset(new BaseRepository(db, 'reading', { maxPageSize: 10_000 }), {
    secret: 'a secret of the proof only',
  })
  return async (cursor: string | null, direction: 'forwards' | 'backwards'): Promise<Page> => {
    const place =
      direction === 'forwards'
        ? { after: cursor }
        : cursor === null
          ? { from: 'end' as const }
          : { before: cursor }
    const page = await pages.page({ orderBy: orderBy as never, pageSize, select: { id: true }, ...place })
    const ids = page.items.map(({ id }) => id)
    return direction === 'forwards'
      ? { ids, next: page.hasNext ? page.endCursor : undefined }
      : { ids: ids.toReversed(), next: page.hasPrevious ? page.startCursor : undefined }
  }
}

function faults({ ids, direction }: Walked, { stable, expected }: Trial): readonly string[] {
  const found: string[] = []
  const seen = ids.filter((id) => stable.has(id))
  if (new Set(ids).size !== ids.length) found.push(`${ids.length - new Set(ids).size} rows were seen twice`)
  const missing = expected.filter((id) => !seen.includes(id))
  if (missing.length > 0) found.push(`${missing.length} rows were not seen`)
  const inOrder = direction === 'forwards' ? seen : seen.toReversed()
  if (found.length === 0 && String(inOrder) !== String(expected)) found.push('rows were seen out of order')
  return found
}

/** The same trial with pages by offset, which must fail it: else it would show nothing. */
async function offsetsGoWrong(
  db: Database<PrismaClient>,
  random: Random,
  rows: number,
  writers: number,
): Promise<Check> {
  const name = 'pages by offset, put to the same trial, fail it'
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const trial = { ...(await prepare(db, random, rows)), pageSize: 10 }
    const readings = new BaseRepository(db, 'reading')
    let page = 0
    await using traffic = churn(db, random, writers)
    const walked = await walk(async () => {
      page += 1
      const { items, hasNext } = await readings.page({
        page,
        pageSize: trial.pageSize,
        orderBy: trial.orderBy as never,
        select: { id: true },
      })
      return { ids: items.map(({ id }) => id), next: hasNext ? '' : undefined }
    }, 'forwards')
    await traffic.stop()
    const [fault] = faults(walked, trial)
    if (fault !== undefined) return { name, passed: true, detail: fault }
  }
  return { name, passed: false, detail: 'nothing was noticed' }
}
