import { setMaxListeners } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseMetrics } from '@org/db-core/client'
import type { ApiProcess } from './api-process.ts'
import { startBackendKiller } from './backend-killer.ts'
import type { CatalogueFilm } from './catalogue.ts'
import { sendCrowd } from './crowd.ts'
import { Tally } from './tally.ts'

/** How hard the shop is tried. */
export interface FightOptions {
  /** Default 200. */
  readonly customers?: number
  /** It ends after so many seconds, or when 98 % of the popular films are sold. Default 20. */
  readonly seconds?: number
  /** How often a connection of the database is ended; 0 for never. Default 1,000. */
  readonly killEveryMs?: number
  /** The same seed makes the same wishes, though not the same race. Default 1. */
  readonly seed?: number
  /** Called each second. */
  readonly onProgress?: (progress: Progress) => void
  /** Ends it early. */
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

/** Where it takes place. */
export interface Battlefield {
  readonly api: ApiProcess
  /** Of PostgreSQL itself. */
  readonly directUrl: string
  readonly popular: readonly CatalogueFilm[]
  readonly all: readonly CatalogueFilm[]
}

/** What was counted. */
export interface FightResult {
  readonly tally: Tally
  readonly elapsedMs: number
  readonly killed: number
  /** The most requests that waited for a connection, of what was seen each second. */
  readonly mostWaiting: number
  /** Of the API's process, at the end. */
  readonly metrics: DatabaseMetrics
}

/** Lets a crowd of customers fight for the films while backends are killed. */
export async function fight(field: Battlefield, options: FightOptions): Promise<FightResult> {
  const { customers = 200, seconds = 20, killEveryMs = 1_000, seed = 1, onProgress } = options
  const { api, directUrl, popular, all } = field
  const tally = new Tally()
  const ending = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, ending.signal]) : ending.signal
  // Every customer listens to it.
  setMaxListeners(0, signal)
  const killer = killEveryMs > 0 ? startBackendKiller(directUrl, killEveryMs) : undefined
  const startedAt = performance.now()
  const idsOf = (films: readonly CatalogueFilm[]) => films.map(({ id }) => id)
  const crowd = sendCrowd({
    url: api.url,
    customers,
    popular: idsOf(popular),
    all: idsOf(all),
    tally,
    seed,
    signal,
  })

  let mostWaiting = 0
  const watched = everySecond(signal, async () => {
    const elapsedMs = performance.now() - startedAt
    const pool = (await readMetrics(api))?.pool
    mostWaiting = Math.max(mostWaiting, pool?.waiting ?? 0)
    const popularLeft = leftOf(popular, tally)
    const killed = killer?.killed ?? 0
    onProgress?.({ elapsedMs, ...tally.counts(), popularLeft, killed, ...(pool && { pool }) })
    if (elapsedMs >= seconds * 1_000 || popularLeft <= 0.02) ending.abort()
  })
  try {
    await Promise.all([crowd, watched])
  } finally {
    ending.abort()
    await killer?.stop()
  }
  const elapsedMs = performance.now() - startedAt
  const metrics = await readMetrics(api)
  if (!metrics) throw new Error('The API has ended in the middle')
  return { tally, elapsedMs, killed: killer?.killed ?? 0, mostWaiting, metrics }
}

/** Copies that are left, from 0 to 1, by what the customers know. */
function leftOf(films: readonly CatalogueFilm[], { sold }: Tally): number {
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
  const copies = sum(films.map(({ stock }) => stock))
  return 1 - sum(films.map(({ id }) => sold.get(id) ?? 0)) / Math.max(1, copies)
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
