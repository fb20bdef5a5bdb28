import { randomUUID } from 'node:crypto'
import { type EventSource, isDbError, restoreContext, type SqlClient } from '@org/db-core'
import { createBreaker } from './breaker.ts'
import type { ConsumerOptions } from './consumer-options.ts'
import { toSettings } from './consumer-settings.ts'
import { createDeliveryLoop } from './delivery-loop.ts'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'
import { toHandler } from './handler.ts'
import type { JobSource } from './job-chunks.ts'
import { createJobRunner } from './job-runner.ts'
import { Lane } from './lane.ts'
import type { Tally } from './lane-options.ts'
import { createMembership } from './membership.ts'
import type { Upcasters } from './outbox-event.ts'
import { createParked } from './parked.ts'
import { createPauser, endsWithin } from './pauser.ts'
import { createPositions, type Positions } from './positions.ts'
import { register } from './registration.ts'
import type { Settler } from './settler.ts'
import type { Wake } from './wake.ts'

/** A durable reader of the feed. */
export interface Consumer {
  readonly name: string
  /**
   * Registers the consumer if its name is new, and begins to deliver, in the background. Calls while it starts share one start.
   * @throws OutboxError DB_OUTBOX_TRANSACTION inside of a transaction, DB_OUTBOX_CLOSED after `close`
   */
  start(): Promise<void>
  /**
   * Ends: `each` after the event that it has in hand, `handle` after its batch. Stores the cursor and hands the partitions
   * to others. What is not over after `drainTimeoutMs` (default 10,000) has its signal aborted and is, a second
   * later, left alone (`outbox.consumer.abandoned`); it will be delivered again. Called by the handler itself it does not wait.
   */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  /** What this process has done for the consumer. */
  metrics(): ConsumerMetrics
  [Symbol.asyncDispose](): Promise<void>
}

/** Figures of one consumer in this process. */
export interface ConsumerMetrics {
  /** Read from the feed, deliveries after a failure not counted. */
  readonly events: number
  /** Calls of the handler, for `each` runs of events in a row. */
  readonly deliveries: number
  /** Calls of the handler that failed. */
  readonly failures: number
  /** Batches delivered again as they were, because their error said so. */
  readonly retries: number
  /** How often an event was put aside to be tried again. */
  readonly parked: number
  /** Events that were given up. */
  readonly dead: number
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
  /** Told when the consumer has ended. */
  readonly onClosed: () => void
}

/** What has heard that it is to end has so long to do it. */
const abortGraceMs = 1_000

export function createConsumer(options: ConsumerOptions, around: ConsumerAround): Consumer {
  const settings = toSettings(options)
  const { sql, events, settler, wake } = around
  const { name } = settings
  const life: { state: 'new' | 'starting' | 'running' | 'closing' | 'closed' } = { state: 'new' }
  const isRunning = (): boolean => life.state === 'running'
  const isStopping = (): boolean => !isRunning() || loop.isPaused
  const { pause, end: endPauses } = createPauser()
  const tally: Tally = { deliveries: 0, failures: 0, retries: 0, parked: 0, dead: 0 }
  const handler = toHandler(options, around.upcasters)
  const member = randomUUID()
  const membership = createMembership({ sql, events, consumer: name, member, leaseMs: settings.leaseMs })
  const parked = createParked(sql, name, { epoch: () => settler.epoch, afterDead: settings.afterDead })
  const breaker = createBreaker(settings, events)

  function failed(task: string, error: unknown): void {
    if (!isDbError(error, 'DB_CLOSED')) events.emit('outbox.failed', { task: `${task} ${name}`, error })
  }

  const loop = createDeliveryLoop({
    settings,
    sql,
    events,
    settler,
    membership,
    positions: (): Positions => positions,
    lanes: () => lanes,
    isRunning,
    pause,
    failed,
    onRemoved: () => void close(),
    maintain: around.maintain,
  })
  const positions = createPositions({
    membership,
    onLost: loop.lose,
    onError: (error) => failed('commit', error),
  })
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
        tally,
        onLost: loop.lose,
        pause,
        onDelay: loop.retryIn,
        isClosing: () => !isRunning(),
        isStopping,
        onProgress: loop.wake,
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
    isStopping,
  })
  let running: Promise<unknown> = Promise.resolve()
  let starting: Promise<void> | undefined
  let ending: Promise<void> | undefined

  async function run(): Promise<void> {
    const own = wake.sleeper()
    const unlisten = around.listen()
    // What was delivered may be gone with the server that it was on.
    const unwatch = settler.onReset(loop.lose)
    try {
      await Promise.all([loop.turns(own), loop.beats(), jobs.run(isRunning, () => loop.signal)])
    } finally {
      unwatch()
      unlisten()
      own.close()
    }
  }

  async function begin(): Promise<void> {
    life.state = 'starting'
    try {
      await restoreContext({}, () => register(sql(), settings, settler))
    } catch (error) {
      if (life.state === 'starting') life.state = 'new'
      throw error
    }
    if (life.state !== 'starting') throw closed()
    life.state = 'running'
    running = restoreContext({}, run).catch((error: unknown) => failed('consumer', error))
  }

  async function end(drainTimeoutMs: number): Promise<void> {
    life.state = 'closing'
    endPauses()
    loop.wake()
    for (const lane of lanes) lane.clear()
    const work = Promise.all([running, ...lanes.map((lane) => lane.settled())])
    const isOver = await endsWithin(work, drainTimeoutMs)
    loop.abort(new Error('the consumer is closing'))
    if (!isOver && !(await endsWithin(work, abortGraceMs))) {
      events.emit('outbox.consumer.abandoned', { consumer: name, drainTimeoutMs })
    }
    await positions.close()
    await membership.leave().catch((error: unknown) => failed('leave', error))
    finish()
  }

  function finish(): void {
    life.state = 'closed'
    around.onClosed()
  }

  const close: Consumer['close'] = async ({ drainTimeoutMs = 10_000 } = {}) => {
    if (life.state === 'new' || life.state === 'starting') finish()
    // The one who has called `start` hears of its failure.
    await starting?.catch(() => undefined)
    if (isRunning()) ending ??= end(drainTimeoutMs)
    if (!handler.isInside) await ending
  }

  function closed(): OutboxError {
    return new OutboxError('DB_OUTBOX_CLOSED', `Consumer ${name} is closed`)
  }

  return {
    name,
    async start() {
      if (isRunning()) return
      if (around.inTransaction()) {
        throw new OutboxError(
          'DB_OUTBOX_TRANSACTION',
          `Consumer ${name} can't be started inside a transaction`,
        )
      }
      if (life.state === 'new') {
        starting = begin().finally(() => {
          starting = undefined
        })
      }
      if (!starting) throw closed()
      await starting
    },
    close,
    metrics: () => ({
      events: loop.count,
      ...tally,
      inFlight: lanes.reduce((sum, lane) => sum + lane.size, 0),
      partitions: [...membership.leases.keys()],
      parkedKeys: lanes.reduce((sum, lane) => sum + lane.parkedKeys, 0),
      isPaused: loop.isPaused,
      isBreakerOpen: !breaker.isClosed,
    }),
    [Symbol.asyncDispose]: () => close(),
  }
}
