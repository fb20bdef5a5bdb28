import { type EventSource, isDbError, type SqlClient } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'
import { readFeed } from './feed.ts'
import type { Lane } from './lane.ts'
import type { Membership } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'
import type { Positions } from './positions.ts'
import { partitionCount } from './schema.ts'
import type { Settler } from './settler.ts'
import type { Sleeper } from './wake.ts'

/** What the loops of a consumer need around them. */
export interface DeliveryLoopOptions {
  readonly settings: ConsumerSettings
  readonly sql: () => SqlClient
  readonly events: EventSource<OutboxEvents>
  readonly settler: Settler
  readonly membership: Membership
  readonly positions: () => Positions
  readonly lanes: () => readonly Lane[]
  readonly isRunning: () => boolean
  readonly pause: (ms: number) => Promise<void>
  /** Reports what failed in the background. */
  readonly failed: (task: string, error: unknown) => void
  /** Told when the consumer is not there any more. */
  readonly onRemoved: () => void
  /** Work of the whole feed that one process at a time does now and then. */
  readonly maintain: () => Promise<void>
}

/** Keeps the leases, reads the feed and hands it to the lanes. */
export interface DeliveryLoop {
  /** Reads and hands out until the consumer ends. */
  turns(own: Sleeper): Promise<void>
  /** Renews the leases until the consumer ends. */
  beats(): Promise<void>
  /** Lets go of everything that is held and begins anew. */
  lose(): void
  /** Tries again what waits after so long. */
  retryIn(ms: number): void
  wake(): void
  /** Aborts what is under way. */
  abort(reason: Error): void
  /** Aborts when what is under way is void. */
  readonly signal: AbortSignal
  readonly isPaused: boolean
  /** How many events were read. */
  readonly count: number
}

const retryEveryMs = 1_000
const maintainEveryMs = 30_000

export function createDeliveryLoop(options: DeliveryLoopOptions): DeliveryLoop {
  const { settings, sql, events, settler, membership, positions, lanes, isRunning, pause, failed } = options
  const { name } = settings
  let sleeper: Sleeper | undefined
  let controller = new AbortController()
  let isLost = false
  let isPaused = false
  let isFull = false
  /** Set when partitions came or are to go: lanes are put together anew as soon as they are idle. */
  let share: number | undefined
  let mustAssign = false
  let readUpTo = 0
  let count = 0
  let retryAt = 0

  const inFlight = (): number => lanes().reduce((sum, lane) => sum + lane.size, 0)

  function lose(): void {
    isLost = true
    controller.abort(new OutboxError('DB_OUTBOX_LEASE_LOST', `Consumer ${name} lost partitions`))
    sleeper?.wake()
  }

  /** Its own loop, because nothing that the others wait for may keep the lease from being renewed. */
  async function beats(): Promise<void> {
    while (isRunning()) {
      let nextMs = settings.leaseMs / 6
      try {
        const isFresh = isLost && lanes().every((lane) => lane.isIdle)
        const balance = await membership.beat({ isFresh })
        nextMs = balance.nextMs
        isPaused = balance.isPaused
        share = balance.share
        if (isFresh) isLost = false
        if (balance.lost.length > 0) lose()
        if (balance.gained.length > 0 || balance.lost.length > 0) mustAssign = true
        if (balance.leases.size > balance.share) mustAssign = true
        sleeper?.wake()
      } catch (error) {
        failed('heartbeat', error)
        if (isDbError(error, 'DB_OUTBOX_NOT_FOUND')) options.onRemoved()
      }
      if (!membership.isAlive && !isLost) lose()
      await pause(isLost ? 20 : nextMs)
    }
  }

  /** Puts the lanes together for the partitions that are held; false while they are still at work. */
  async function assign(): Promise<boolean> {
    const all = lanes()
    for (const lane of all) lane.clear()
    if (!all.every((lane) => lane.isIdle)) return false
    if (isLost) {
      positions().forget()
      return false
    }
    await positions().flush()
    const surplus = [...membership.leases.keys()].slice(share ?? partitionCount)
    if (surplus.length > 0) await membership.release(surplus)
    mustAssign = false
    if (controller.signal.aborted) controller = new AbortController()
    const leases = [...membership.leases.values()].sort((a, b) => a.part - b.part)
    readUpTo = leases.length === 0 ? 0 : Math.min(...leases.map(({ position }) => position))
    for (const [index, lane] of all.entries()) {
      await lane.assign(
        leases.filter((_, at) => at % all.length === index),
        readUpTo,
      )
    }
    return true
  }

  /** Reads as far as there is room. */
  async function read(): Promise<boolean> {
    let hasRead = false
    const parts = lanes().flatMap((lane) => lane.parts)
    while (isRunning() && !mustAssign && !isLost && parts.length > 0 && inFlight() < settings.maxInFlight) {
      if (settler.position <= readUpTo) await settler.settle()
      if (settler.position <= readUpTo) break
      const page = await readFeed(
        sql(),
        {
          after: readUpTo,
          upTo: settler.position,
          ...(parts.length < partitionCount && { parts }),
          topics: settings.topics,
          maxCount: Math.min(settings.maxCount * 2, settings.maxInFlight),
          maxBytes: settings.maxBytes * 2,
        },
        { epoch: settler.epoch, origin: 'live' },
      )
      if (mustAssign || isLost) break
      hasRead = true
      route(page.events, page.upTo)
    }
    return hasRead
  }

  function route(page: readonly FeedEvent[], upTo: number): void {
    const { leases } = membership
    // A partition that was taken over may be further than the others.
    const fresh = page.filter(
      ({ part, seq }) => seq > (leases.get(part)?.position ?? Number.POSITIVE_INFINITY),
    )
    const all = lanes()
    for (const lane of all) {
      if (lane.parts.length === 0) continue
      lane.add(all.length === 1 ? fresh : fresh.filter(({ part }) => lane.parts.includes(part)), upTo)
    }
    count += fresh.length
    readUpTo = upTo
    startLanes()
  }

  function startLanes(): void {
    for (const lane of lanes()) lane.start(controller.signal)
  }

  async function turns(own: Sleeper): Promise<void> {
    sleeper = own
    let pollMs = settings.pollMinMs
    let maintainAt = performance.now() + 1_000
    while (isRunning()) {
      let hasRead = false
      try {
        if ((mustAssign || isLost) && !(await assign())) {
          await own.sleep(20)
          continue
        }
        const now = performance.now()
        if (now >= retryAt && !isPaused) {
          retryAt = now + retryEveryMs
          for (const lane of lanes()) lane.retry(controller.signal)
        }
        if (now >= maintainAt && membership.leases.has(0)) {
          maintainAt = now + maintainEveryMs
          void options.maintain().catch((error: unknown) => failed('maintenance', error))
        }
        checkFull()
        if (!isPaused && !isFull) hasRead = await read()
        startLanes()
      } catch (error) {
        failed('read', error)
        await own.sleep(200)
      }
      pollMs = hasRead ? settings.pollMinMs : Math.min(pollMs * 2, settings.pollMaxMs)
      if (await own.sleep(untilNext(pollMs))) pollMs = settings.pollMinMs
    }
  }

  /** What is due while deliveries are paused is not due. */
  function untilNext(pollMs: number): number {
    if (isPaused) return Math.max(1, pollMs)
    const ready = Math.min(...lanes().map((lane) => lane.readyInMs ?? pollMs))
    return Math.max(1, Math.min(pollMs, ready, retryAt - performance.now()))
  }

  function checkFull(): void {
    const wasFull = isFull
    const parkedKeys = lanes().reduce((sum, lane) => sum + lane.parkedKeys, 0)
    isFull = parkedKeys >= settings.maxParkedKeys
    if (isFull && !wasFull) events.emit('outbox.consumer.full', { consumer: name, parkedKeys })
  }

  return {
    turns,
    beats,
    lose,
    retryIn(ms) {
      retryAt = Math.min(retryAt, performance.now() + ms)
      sleeper?.wake()
    },
    wake: () => sleeper?.wake(),
    abort: (reason) => controller.abort(reason),
    get signal() {
      return controller.signal
    },
    get isPaused() {
      return isPaused
    },
    get count() {
      return count
    },
  }
}
