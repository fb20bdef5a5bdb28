import type { DatabaseMetrics } from '@org/db-core/client'
import { openDatabase } from '../db.ts'
import { readFilmList } from '../films/film-list.ts'
import { loadFilms } from '../films/load-films.ts'
import type { LoadReport } from '../films/load-report.ts'
import { createShop } from '../shop.ts'
import { startApiProcess } from './api-process.ts'
import { readCatalogue } from './catalogue.ts'
import { type FightOptions, fight } from './fight.ts'
import { checkInvariants, type Invariant } from './invariants.ts'
import type { Latency, LatencyKind, Tally } from './tally.ts'

/** Where the shop is tried, and how hard. */
export interface NoOversellOptions extends FightOptions {
  /** `DATABASE_URL` of the API: a database with the shop's tables and no orders. */
  readonly url: string
  /** Of PostgreSQL itself, where `url` leads to a pooler; for the checks and for killing backends. Default `url`. */
  readonly directUrl?: string
  /** `transaction` for a PgBouncer in that mode. Default `direct`. */
  readonly poolMode?: 'direct' | 'transaction'
  /** Connections of the API. Default 10. */
  readonly poolMax?: number
  /** Whether the API repeats what failed without having changed anything. Default `true`. */
  readonly retries?: boolean
  /** Of a Redis that the API remembers films in. Default none: it remembers them by itself. */
  readonly redisUrl?: string
  /** Copies of each popular film; all others have 20. Default 60. */
  readonly popularCopies?: number
  /** Called when the films are there. */
  readonly onLoaded?: (report: LoadReport) => void
}

/** What came of it. */
export interface NoOversellResult {
  readonly load: LoadReport
  readonly customers: number
  readonly elapsedMs: number
  readonly requests: number
  readonly placed: number
  readonly refused: number
  readonly unknown: number
  /** Requests by what was asked and answered: `order 503 TRY_AGAIN DB_SHUTDOWN`. */
  readonly answers: Readonly<Record<string, number>>
  readonly latencyMs: Readonly<Record<LatencyKind, Latency>>
  /** Of the API's process, at the end. */
  readonly metrics: DatabaseMetrics
  /** The most requests that waited for a connection, of what was seen each second. */
  readonly mostWaiting: number
  readonly killed: number
  readonly invariants: readonly Invariant[]
  /** Whether all of them hold. */
  readonly holds: boolean
}

/** A film is popular from this worldwide gross on, in US dollars: 120 films are. */
const popularFrom = 400_000_000

/** Loads the films into the database at `url`, which must have the shop's tables. */
export async function loadShop(url: string, popularCopies = 60): Promise<LoadReport> {
  await using db = openDatabase({ url })
  return await loadFilms(createShop(db), {
    rows: await readFilmList(),
    stockOf: ({ worldwideGross }) => ((worldwideGross ?? 0n) >= popularFrom ? popularCopies : 20),
  })
}

/**
 * Loads the films, lets a crowd of customers fight over HTTP for the copies of the popular ones while backends
 * are killed, and compares the database with what the customers were told. Ended early, it compares all the same.
 */
export async function noOversell(options: NoOversellOptions): Promise<NoOversellResult> {
  const { url, directUrl = url, popularCopies, customers = 200 } = options
  const load = await loadShop(directUrl, popularCopies)
  options.onLoaded?.(load)
  const all = await readCatalogue(directUrl)
  const popular = all.filter(({ worldwideGross }) => worldwideGross >= popularFrom)
  const loaded = new Map(all.map(({ id, stock }) => [id, stock]))

  const api = await startApiProcess(options)
  const { tally, ...figures } = await fight({ api, directUrl, popular, all }, options).finally(() =>
    // The checks must see the end of everything that the API has begun.
    api.stop(),
  )
  const stored = await checkInvariants({ url: directUrl, loaded, attempts: tally.attempts })
  const invariants = [...stored, ...checkTold(tally)]
  return {
    load,
    customers,
    ...figures,
    ...tally.counts(),
    answers: Object.fromEntries([...tally.answers].sort(([a], [b]) => a.localeCompare(b))),
    latencyMs: tally.latencies(),
    invariants,
    holds: invariants.every(({ holds }) => holds),
  }
}

/** What the customers alone can tell. */
function checkTold(tally: Tally): Invariant[] {
  const internal = [...tally.answers].filter(([answer]) => / 500 /u.test(answer))
  const count = internal.reduce((sum, [, times]) => sum + times, 0)
  return [
    {
      name: 'every order that was read again was as confirmed',
      holds: tally.misread.length === 0,
      detail: `${tally.latencies()['read back'].count.toLocaleString('en-US')} read, ${tally.misread.length} differ`,
    },
    { name: 'no answer was an internal error', holds: count === 0, detail: `${count} internal errors` },
  ]
}
