import { Pool } from 'undici'
import type { OrderRequest } from '../place-order.ts'
import { shopAround } from './customer.ts'
import { seededRandom } from './random.ts'
import type { Tally } from './tally.ts'

/** A crowd that shops at the same time. */
export interface CrowdOptions {
  /** Of the API. */
  readonly url: string
  readonly customers: number
  /** Films by how much they are wanted, the most wanted first. */
  readonly popular: readonly number[]
  /** Every film. */
  readonly all: readonly number[]
  readonly tally: Tally
  /** The same seed makes the same wishes. */
  readonly seed: number
  /** Ends the shopping; what is in progress is finished. */
  readonly signal: AbortSignal
}

const genres = ['Drama', 'Comedy', 'Action', 'Horror', 'Musical', 'Western', 'Documentary']

/** Sends all customers shopping, each with a connection of their own; resolves when the last has left. */
export async function sendCrowd(options: CrowdOptions): Promise<void> {
  const { customers, tally, signal, seed } = options
  const http = new Pool(options.url, { connections: customers, headersTimeout: 60_000, bodyTimeout: 60_000 })
  const wish = wishOf(options)
  try {
    await Promise.all(
      Array.from({ length: customers }, (_, index) => {
        const random = seededRandom(seed * 100_003 + index)
        return shopAround({ name: `customer ${index + 1}`, http, tally, random, wish, genres, signal })
      }),
    )
  } finally {
    await http.close()
  }
}

/** One to three films: nine of ten are popular ones, and of these the first are wanted most. */
function wishOf({ popular, all }: CrowdOptions): (random: () => number) => OrderRequest['items'] {
  const pick = (films: readonly number[], place: number) => films[Math.floor(place * films.length)] ?? 1
  return (random) => {
    const wanted = 1 + Math.floor(random() * 3)
    const filmIds = new Set<number>()
    for (let turn = 0; turn < wanted; turn++) {
      filmIds.add(random() < 0.9 ? pick(popular, random() ** 2) : pick(all, random()))
    }
    // Not in the order of their ids: it is the shop that must bring them into one.
    return [...filmIds].map((filmId) => ({ filmId, quantity: random() < 0.8 ? 1 : 2 }))
  }
}
