import { closedError } from '../errors.ts'
import { checked } from '../option-problems.ts'
import type { CacheBus } from '../types.ts'
import { problemsOfBus } from './driver-options.ts'
import { unique } from './redis-keys.ts'
import type { RedisLike, RedisSubscriberLike } from './redis-like.ts'

// Messages come in the order in which Redis carried the PUBLISHes out. So a message to oneself proves that what was
// published before it has arrived. Whoever published while Redis stood still is served when it wakes up, in no
// particular order; a second message to oneself, sent after the first has arrived, comes after all of those.

/** How processes are kept in step. */
export interface RedisBusOptions {
  /** Processes with the same channel hear each other. Default `db-cache`. */
  readonly channel?: string
  /**
   * The bound on staleness of what is held in memory while messages don't arrive, in milliseconds: after that
   * time without proof that they do, memory is not used. Default `1000`.
   */
  readonly trustMs?: number
  /**
   * The connection that listens; the bus ends it. Default: a duplicate of the client. With a Cluster it must be
   * given, a plain client of one node: a Cluster's own subscription moves between nodes without saying so.
   */
  readonly subscriber?: RedisSubscriberLike
}

/**
 * A bus over Redis' publish and subscribe, on a connection of its own that `close` ends.
 * @throws CacheOptionsError naming every wrong field
 */
export function redisBus(client: RedisLike, options: RedisBusOptions = {}): CacheBus {
  checked(problemsOfBus(client, options))
  const { channel = 'db-cache', trustMs = 1000 } = options
  const messages = `${channel}:invalidations`
  const self = `${channel}:heartbeat:${unique()}`
  const subscriber = options.subscriber ?? client.duplicate()
  let listener: Parameters<CacheBus['subscribe']>[0] | undefined
  /** Everything that Redis had received by then has arrived here. */
  let provenAt = Number.NEGATIVE_INFINITY
  let arrivedSentAt: number | undefined
  let isClosed = false

  const isLive = (): boolean => performance.now() - provenAt <= trustMs

  function lose(): void {
    provenAt = Number.NEGATIVE_INFINITY
    arrivedSentAt = undefined
    listener?.lost()
  }

  function hear(beat: string): void {
    const sentAt = Number(beat.slice(beat.indexOf(' ') + 1))
    // A beat of before the connection was lost proves nothing: beats name the first one of their connection.
    if (!beat.startsWith(`${connection} `)) return
    if (arrivedSentAt !== undefined) {
      // After a silence others may still be about to tell what they changed in it: they first tell the second level,
      // which has it by now, so that is asked again.
      if (!isLive()) listener?.lost()
      provenAt = arrivedSentAt
    }
    arrivedSentAt = sentAt
    scheduleBeat(provenAt === Number.NEGATIVE_INFINITY ? 0 : trustMs / 4)
  }

  let connection = 0
  let timer: NodeJS.Timeout | undefined

  function scheduleBeat(delayMs: number): void {
    clearTimeout(timer)
    if (isClosed) return
    timer = setTimeout(beat, delayMs)
    timer.unref()
  }

  function beat(): void {
    client.publish(self, `${connection} ${performance.now()}`).catch(() => {
      // Then it does not arrive, which is what it is for to find out.
    })
    // Sent again if it gets lost; otherwise its arrival schedules the next one.
    scheduleBeat(trustMs / 2)
  }

  subscriber.on('message', (from, text) => {
    if (from === self) hear(String(text))
    else if (from === messages) listener?.message(String(text))
  })
  subscriber.on('error', () => {
    // Reported by the client that it was duplicated from; here it only means that no messages arrive.
  })
  for (const event of ['close', 'end']) subscriber.on(event, lose)
  function subscribe(): void {
    connection++
    const mine = connection
    lose()
    subscriber.subscribe(messages, self).then(
      () => {
        if (mine === connection) beat()
      },
      () => {
        // The connection broke again; 'ready' comes once more.
      },
    )
  }
  subscriber.on('ready', subscribe)
  if (subscriber.status === 'ready') subscribe()
  // A lazy client's duplicate waits to be asked; what fails is tried again by the client itself.
  else if (subscriber.status === 'wait') subscriber.connect().catch(lose)

  return {
    async publish(message) {
      for (let delayMs = 20; ; delayMs = Math.min(delayMs * 2, 500)) {
        if (isClosed) throw closedError()
        try {
          await client.publish(messages, message)
          return
        } catch {
          // It must reach the others as soon as that is possible, so it is tried until then.
          await new Promise((resolve) => setTimeout(resolve, delayMs).unref())
        }
      }
    },
    subscribe(given) {
      listener = given
    },
    isLive,
    async close() {
      isClosed = true
      clearTimeout(timer)
      subscriber.disconnect()
    },
  }
}
