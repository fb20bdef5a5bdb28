import { setTimeout as delay } from 'node:timers/promises'
import { startRedis } from '@org/db-testing'

/** A Redis that is paused for a while, works for a while, is killed with all it knew, and so on. */
export interface DisturbedRedis extends AsyncDisposable {
  readonly url: string
  readonly paused: number
  readonly killed: number
}

const workingMs = 700
const awayMs = 600

/** Starts it; its troubles begin at once. */
export async function startDisturbedRedis(): Promise<DisturbedRedis> {
  const redis = await startRedis()
  const ending = new AbortController()
  let paused = 0
  let killed = 0

  /** Ends early with the disturbance. */
  const wait = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: ending.signal }).catch(() => undefined)

  async function disturb(): Promise<void> {
    while (!ending.signal.aborted) {
      await wait(workingMs)
      redis.pause()
      paused += 1
      await wait(awayMs)
      redis.resume()
      await wait(workingMs)
      await redis.kill()
      killed += 1
      await wait(awayMs)
      await redis.start()
    }
  }

  const disturbing = disturb()
  // Its failure is reported at the end.
  disturbing.catch(() => undefined)
  return {
    url: redis.url,
    get paused() {
      return paused
    },
    get killed() {
      return killed
    },
    async [Symbol.asyncDispose]() {
      ending.abort()
      await disturbing.finally(() => redis.stop())
    },
  }
}
