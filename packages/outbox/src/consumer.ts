import { randomUUID } from 'node:crypto'
import { type EventSource, isDbError, restoreContext, type SqlClient } from '@org/db-core'
import { createBreaker } from './breaker.ts'
import { type ConsumerOptions, toSettings } from './consumer-options.ts'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'
import { readFeed } from './feed.ts'
import { toHandler } from './handler.ts'
import { createJobRunner, type JobSource } from './job-runner.ts'
import { Lane } from './lane.ts'
import { createMembership } from './membership.ts'
import type { FeedEvent, Upcasters } from './outbox-event.ts'
import { createParked } from './parked.ts'
import { createPositions } from './positions.ts'
import { partitionCount } from './schema.ts'
import type { Settler } from './settler.ts'
import type { Sleeper, Wake } from './wake.ts'

/** A durable reader of the feed. */
export interface Consumer {
  readonly name: string
  /**
   * Registers the consumer if its name is new, and begins to deliver, in the background.
   * @throws OutboxError DB_OUTBOX_TRANSACTION inside of a transaction, DB_OUTBOX_CLOSED after `close`
   */
  start(): Promise<void>
  /** Finishes what is under way, stores the cursor and hands the partitions to others. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  /** What this process has done for the consumer. */
  metrics(): ConsumerMetrics
  [Symbol.asyncDispose](): Promise<void>
}

/** Figures of one consumer in this process. */
export interface ConsumerMetrics {
  /** Read from the feed, deliveries after a failure not counted. */
  readonly events: number
  readonly inFlight: number
  readonly partitions: readonly number[]
  readonly parkedKeys: number
  readonly isPaused: boolean
  readonly isBreakerOpen: boolean
}

/** What a consumer needs around it. */
export interface ConsumerAround {
  readonly sql: () => SqlClient
  readonly inTransaction: () => boolean
  readonly events: EventSource<OutboxEvents>
  readonly settler: Settler
  readonly wake: Wake
  readonly listen: () => () => void
  readonly upcasters: Upcasters
  readonly jobs: JobSource
  /** Work of the whole feed that one process at a time does now and then. */
  readonly maintain: () => Promise<void>
}

const retryEveryMs = 1_000
const maintainEveryMs = 30_000
const never = new AbortController().signal

export function createConsumer(options: ConsumerOptions, around: ConsumerAround): Consumer {
  const settings = toSettings(options)
  const { sql, events, settler, wake } = around
  const { name } = settings
  const handler = toHandler(options, around.upcasters)
  const membership = createMembership({
    sql,
    events,
    consumer: name,
    member: randomUUID(),
    leaseMs: settings.leaseMs,
  })
  const parked = createParked(sql, name, { epoch: () => settler.epoch, afterDead: settings.afterDead })
  const breaker = createBreaker(settings, events)
  let sleeper: Sleeper | undefined
  let state: 'new' | 'running' | 'closing' | 'closed' = 'new'
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
  let running: Promise<unknown> | undefined

  const onLost = (): void => {
    isLost = true
    controller.abort(new OutboxError('DB_OUTBOX_LEASE_LOST', `Consumer ${name} lost partitions`))
    sleeper?.wake()
  }
  const positions = createPositions({ membership, onLost, onError: (error) => failed('commit', error) })
  const lanes = Array.from(
    { length: settings.concurrency },
    () =>
      new Lane({
        settings,
        sql,
        events,
        handler,
        commit: membership.commit,
        parked,
        breaker,
        onLost,
        pause,
        onDelay: (ms) => {
          retryAt = Math.min(retryAt, performance.now() + ms)
          sleeper?.wake()
        },
        isClosing: () => state !== 'running',
        onProgress: () => sleeper?.wake(),
        onDone: positions.note,
        flush: positions.flush,
      }),
  )
  const jobs = createJobRunner({
    settings,
    sql,
    events,
    handler,
    membership,
    parked,
    settler,
    source: around.jobs,
    pause,
  })

  function failed(task: string, error: unknown): void {
    if (!isDbError(error, 'DB_CLOSED')) events.emit('outbox.failed', { task: `${task} ${name}`, error })
  }

  const inFlight = (): number => lanes.reduce((sum, lane) => sum + lane.size, 0)
  const parkedKeys = (): number => lanes.reduce((sum, lane) => sum + lane.parkedKeys, 0)
  const isRunning = (): boolean => state === 'running'

  /** Its own loop, because nothing that the others wait for may keep the lease from being renewed. */
  async function beats(): Promise<void> {
    while (isRunning()) {
      let nextMs = settings.leaseMs / 6
      try {
        const isFresh = isLost && lanes.every((lane) => lane.isIdle)
        const balance = await membership.beat({ isFresh })
        nextMs = balance.nextMs
        isPaused = balance.isPaused
        share = balance.share
        if (isFresh) isLost = false
        if (balance.lost.length > 0) onLost()
        if (balance.gained.length > 0 || balance.lost.length > 0) mustAssign = true
        if (balance.leases.size > balance.share) mustAssign = true
        sleeper?.wake()
      } catch (error) {
        failed('heartbeat', error)
        if (isDbError(error, 'DB_OUTBOX_NOT_FOUND')) state = 'closing'
      }
      if (!membership.isAlive && !isLost) onLost()
      await pause(isLost ? 20 : nextMs, never)
    }
  }

  /** Puts the lanes together for the partitions that are held; false while they are still at work. */
  async function assign(): Promise<boolean> {
    for (const lane of lanes) lane.clear()
    if (!lanes.every((lane) => lane.isIdle)) return false
    if (isLost) {
      positions.forget()
      return false
    }
    await positions.flush()
    const surplus = [...membership.leases.keys()].slice(share ?? partitionCount)
    if (surplus.length > 0) await membership.release(surplus)
    mustAssign = false
    if (controller.signal.aborted) controller = new AbortController()
    const leases = [...membership.leases.values()].sort((a, b) => a.part - b.part)
    readUpTo = leases.length === 0 ? 0 : Math.min(...leases.map(({ position }) => position))
    for (const [index, lane] of lanes.entries()) {
      await lane.assign(
        leases.filter((_, at) => at % lanes.length === index),
        readUpTo,
      )
    }
    return true
  }

  /** Reads as far as there is room. */
  async function read(): Promise<boolean> {
    let hasRead = false
    const parts = lanes.flatMap((lane) => lane.parts)
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
    for (const lane of lanes) {
      if (lane.parts.length === 0) continue
      lane.add(lanes.length === 1 ? fresh : fresh.filter(({ part }) => lane.parts.includes(part)), upTo)
    }
    count += fresh.length
    readUpTo = upTo
    startLanes()
  }

  function startLanes(): void {
    for (const lane of lanes) lane.start(controller.signal)
  }

  async function turns(own: Sleeper): Promise<void> {
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
          for (const lane of lanes) if (lane.isIdle) void lane.retry(controller.signal)
        }
        if (now >= maintainAt && membership.leases.has(0)) {
          maintainAt = now + maintainEveryMs
          void around.maintain().catch((error: unknown) => failed('maintenance', error))
        }
        checkFull()
        if (!isPaused && !isFull) hasRead = await read()
        startLanes()
      } catch (error) {
        failed('read', error)
        await own.sleep(200)
      }
      pollMs = hasRead ? settings.pollMinMs : Math.min(pollMs * 2, settings.pollMaxMs)
      const ready = Math.min(...lanes.map((lane) => lane.readyInMs ?? pollMs))
      const isWoken = await own.sleep(
        Math.max(1, Math.min(pollMs, ready, Math.max(1, retryAt - performance.now()))),
      )
      if (isWoken) pollMs = settings.pollMinMs
    }
  }

  function checkFull(): void {
    const wasFull = isFull
    isFull = parkedKeys() >= settings.maxParkedKeys
    if (isFull && !wasFull) events.emit('outbox.consumer.full', { consumer: name, parkedKeys: parkedKeys() })
  }

  async function pause(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || state !== 'running') return
    await new Promise<void>((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        closing.removeEventListener('abort', end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      signal.addEventListener('abort', end)
      closing.addEventListener('abort', end)
    })
  }
  const closer = new AbortController()
  const closing = closer.signal

  async function register(): Promise<void> {
    const [known] = await sql().query('SELECT 1 FROM orgdb.outbox_consumer WHERE name = $1', [name])
    if (known) return
    let position = 0
    if (settings.from === 'now') {
      for (let before = -1; position > before; ) {
        before = position
        position = await settler.settle()
      }
    }
    await sql().query(
      `WITH made AS (INSERT INTO orgdb.outbox_consumer (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name)
       INSERT INTO orgdb.outbox_lease (consumer, part, position)
       SELECT name, part, $2 FROM made, generate_series(0, ${partitionCount - 1}) part`,
      [name, position],
    )
  }

  async function run(): Promise<void> {
    const own = wake.sleeper()
    sleeper = own
    const unlisten = around.listen()
    try {
      await Promise.all([turns(own), beats(), jobs.run(isRunning, () => controller.signal)])
    } finally {
      unlisten()
      own.close()
    }
  }

  async function end(drainTimeoutMs: number): Promise<void> {
    state = 'closing'
    closer.abort()
    sleeper?.wake()
    const timer = setTimeout(() => controller.abort(new Error('the consumer is closing')), drainTimeoutMs)
    for (const lane of lanes) lane.clear()
    await Promise.all(lanes.map((lane) => lane.settled()))
    clearTimeout(timer)
    controller.abort(new Error('the consumer is closing'))
    await running
    await positions.close()
    await membership.leave().catch((error: unknown) => failed('leave', error))
    state = 'closed'
  }

  const close: Consumer['close'] = async ({ drainTimeoutMs = 10_000 } = {}) => {
    if (state === 'new') state = 'closed'
    if (state === 'running') ending ??= end(drainTimeoutMs)
    await ending
  }
  let ending: Promise<void> | undefined

  return {
    name,
    async start() {
      if (state === 'running') return
      if (state !== 'new') throw new OutboxError('DB_OUTBOX_CLOSED', `Consumer ${name} is closed`)
      if (around.inTransaction()) {
        throw new OutboxError(
          'DB_OUTBOX_TRANSACTION',
          `Consumer ${name} can't be started inside a transaction`,
        )
      }
      await restoreContext({}, register)
      state = 'running'
      running = restoreContext({}, run).catch((error: unknown) => failed('consumer', error))
    },
    close,
    metrics: () => ({
      events: count,
      inFlight: inFlight(),
      partitions: [...membership.leases.keys()],
      parkedKeys: parkedKeys(),
      isPaused,
      isBreakerOpen: !breaker.isClosed,
    }),
    [Symbol.asyncDispose]: () => close(),
  }
}
