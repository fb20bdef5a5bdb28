import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseMetrics } from '@org/db-core/client'
import { openDatabase } from '../db.ts'
import { readFilmList } from '../films/film-list.ts'
import { loadFilms } from '../films/load-films.ts'
import type { LoadReport } from '../films/load-report.ts'
import { createShop } from '../shop.ts'
import { type ApiProcess, startApiProcess } from './api-process.ts'
import { startBackendKiller } from './backend-killer.ts'
import { type CatalogueFilm, readCatalogue } from './catalogue.ts'
import { sendCrowd } from './crowd.ts'
import { checkInvariants, type Invariant } from './invariants.ts'
import { type Latency, type LatencyKind, Tally } from './tally.ts'

/** How hard the shop is tried. */
export interface NoOversellOptions {
  /** `DATABASE_URL` of the API: a database with the shop's tables and no orders. */
  readonly url: string
  /** Of PostgreSQL itself, where `url` leads to a pooler; for the checks and for killing backends. Default `url`. */
  readonly directUrl?: string
  /** `transaction` for a PgBouncer in that mode. Default `direct`. */
  readonly poolMode?: 'direct' | 'transaction'
  /** Connections of the API. Default 10. */
  readonly poolMax?: number
  /** Default 200. */
  readonly customers?: number
  /** It ends after so many seconds, or when 98 % of the popular films are sold. Default 20. */
  readonly seconds?: number
  /** Copies of each popular film; all others have 20. Default 60. */
  readonly popularCopies?: number
  /** How often a connection of the database is ended; 0 for never. Default 1,000. */
  readonly killEveryMs?: number
  /** The same seed makes the same wishes, though not the same race. Default 1. */
  readonly seed?: number
  /** Called when the films are there. */
  readonly onLoaded?: (report: LoadReport) => void
  /** Called each second. */
  readonly onProgress?: (progress: Progress) => void
  /** Ends it early; the checks still run. */
  readonly signal?: AbortSignal
}

/** How far it is. */
export interface Progress {
  readonly elapsedMs: number
  readonly requests: number
  readonly placed: number
  readonly refused: number
  readonly unknown: number
  /** Copies of the popular films that are left, from 0 to 1. */
  readonly popularLeft: number
  readonly killed: number
  readonly pool?: DatabaseMetrics['pool']
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
export const popularFrom = 400_000_000

/** Loads the films into the database at `url`, which must have the shop's tables. */
export async function loadShop(url: string, popularCopies = 60): Promise<LoadReport> {
  await using db = openDatabase({ url })
  return loadFilms(createShop(db), {
    rows: await readFilmList(),
    stockOf: ({ worldwideGross }) => ((worldwideGross ?? 0n) >= popularFrom ? popularCopies : 20),
  })
}

/**
 * Loads the films, lets a crowd of customers fight over HTTP for the copies of the popular ones while backends
 * are killed, and compares the database with what the customers were told.
 */
export async function noOversell(options: NoOversellOptions): Promise<NoOversellResult> {
  const { url, directUrl = url, popularCopies = 60 } = options
  const load = await loadShop(directUrl, popularCopies)
  options.onLoaded?.(load)
  const catalogue = await readCatalogue(directUrl)
  const api = await startApiProcess(options)
  try {
    const fought = await fight(api, catalogue, directUrl, options)
    await api.stop()
    const { tally, ...figures } = fought
    const loaded = new Map(catalogue.map(({ id, stock }) => [id, stock]))
    const invariants = [
      ...(await checkInvariants({ url: directUrl, loaded, attempts: tally.attempts })),
      ...checkTold(tally),
    ]
    return {
      load,
      customers: options.customers ?? 200,
      ...figures,
      ...countsOf(tally),
      answers: Object.fromEntries([...tally.answers].sort(([a], [b]) => a.localeCompare(b))),
      latencyMs: tally.latencies(),
      invariants,
      holds: invariants.every(({ holds }) => holds),
    }
  } finally {
    await api.stop()
  }
}

async function fight(
  api: ApiProcess,
  catalogue: readonly CatalogueFilm[],
  directUrl: string,
  options: NoOversellOptions,
) {
  const { customers = 200, seconds = 20, killEveryMs = 1_000, seed = 1, onProgress } = options
  const tally = new Tally()
  const popular = catalogue.filter(({ worldwideGross }) => worldwideGross >= popularFrom)
  const copies = popular.reduce((sum, { stock }) => sum + stock, 0)
  const popularLeft = () =>
    1 - popular.reduce((sum, { id }) => sum + (tally.sold.get(id) ?? 0), 0) / Math.max(1, copies)

  const ending = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal
  // Every customer listens to it.
  setMaxListeners(0, signal)
  const killer = killEveryMs > 0 ? startBackendKiller(directUrl, killEveryMs) : undefined
  const startedAt = performance.now()
  const crowd = sendCrowd({
    url: api.url,
    customers,
    popular: popular.map(({ id }) => id),
    all: catalogue.map(({ id }) => id),
    tally,
    seed,
    signal,
  }).finally(() => ending.abort())

  let mostWaiting = 0
  const watched = everySecond(signal, async () => {
    const elapsedMs = performance.now() - startedAt
    const pool = (await readMetrics(api))?.pool
    mostWaiting = Math.max(mostWaiting, pool?.waiting ?? 0)
    const left = popularLeft()
    const killed = killer?.killed ?? 0
    onProgress?.({ elapsedMs, ...countsOf(tally), popularLeft: left, killed, ...(pool && { pool }) })
    if (elapsedMs >= seconds * 1_000 || left <= 0.02) ending.abort()
  })
  await Promise.all([crowd, watched])
  const elapsedMs = performance.now() - startedAt
  await killer?.stop()
  const metrics = await readMetrics(api)
  if (!metrics) throw new Error('The API did not tell its figures')
  return { tally, elapsedMs, killed: killer?.killed ?? 0, mostWaiting, metrics }
}

function countsOf(tally: Tally) {
  const { requests } = tally
  const [placed, refused, unknown] = [tally.count('placed'), tally.count('refused'), tally.count('unknown')]
  return { requests, placed, refused, unknown }
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

async function readMetrics(api: ApiProcess): Promise<DatabaseMetrics | undefined> {
  try {
    const response = await fetch(`${api.url}/metrics`)
    return (await response.json()) as DatabaseMetrics
  } catch {
    // A figure that is missing for once; the customers notice an API that is gone.
    return undefined
  }
}

async function everySecond(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await delay(1_000, undefined, { signal }).catch(() => {
      // Aborted: look once more, then leave.
    })
    await work()
  }
}
