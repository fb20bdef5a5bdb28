import { type EventSource, isDbError, restoreContext, type SqlClient } from '@org/db-core'
import { createClaims, type Suspicion } from './claims.ts'
import type { Definitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import type { SagaEvents } from './events.ts'
import { createHeartbeat } from './heartbeat.ts'
import { createInHand } from './in-hand.ts'
import { pause } from './retry-policy.ts'
import type { Run } from './run.ts'
import type { Ended, RunAround } from './run-around.ts'
import type { Birth } from './run-journal.ts'
import type { SagaRow } from './saga-row.ts'
import type { ServerClock } from './server-clock.ts'
import { createSleeper, within } from './sleeper.ts'
import type { Upkeep } from './upkeep.ts'
import type { WakeUps } from './wake-ups.ts'
import { checkPositive, type Worker, type WorkerOptions } from './worker-options.ts'

export interface WorkerAround {
  readonly id: string
  readonly sql: () => SqlClient
  readonly events: EventSource<SagaEvents>
  readonly definitions: Definitions
  readonly run: RunAround
  readonly clock: ServerClock
  readonly wakeUps: WakeUps
  readonly upkeep: Upkeep
}

/** What the rest of the package asks of a worker. */
export interface InnerWorker extends Worker {
  /** Whether sagas that begin in this process can be run by it at once. */
  takes(saga: { readonly name: string; readonly version: number }): boolean
  /** Runs a saga that is this worker's from its birth. */
  adopt(row: SagaRow, birth?: Birth): Run
  /** Runs one that is stored as this worker's, or gives it to others if there is no place any more. */
  offer(row: SagaRow): void
  /** There may be something to do. */
  wake(): void
  /** Something was told or asked of a saga; nobody in particular is meant by `''`. */
  heard(id: string): void
  /** The run of a saga that is in hand. */
  find(id: string): Run | undefined
  /** Resolves when the saga is over for this process; `undefined` where it is not in hand. */
  ended(id: string): Promise<Ended> | undefined
}

const takeOverAtOnce = 20
/** How long closing waits for a server that does not answer, when the drain is over. */
const farewellMs = 1_500

export function createWorker(options: WorkerOptions, around: WorkerAround): InnerWorker {
  const { concurrency = 100, leaseMs = 10_000, poll = {}, maxCrashes = 5 } = options
  const { minMs = 20, maxMs = 500 } = poll
  checkPositive({ concurrency, leaseMs, 'poll.minMs': minMs, 'poll.maxMs': maxMs, maxCrashes })
  const { id: owner, sql, events, definitions, wakeUps, upkeep } = around
  const claims = createClaims({ owner, sql, events, definitions, maxCrashes, leaseMs })
  const hand = createInHand({ owner, sql, events, definitions, around: around.run, onChange })
  const { runs } = hand
  const heartbeat = createHeartbeat({
    ...{ owner, leaseMs, sql, events, runs, clock: around.clock },
    release: (ids) => claims.release(ids),
    ownQuery: () => wakeUps.query,
  })
  const sleeper = createSleeper()
  const closer = new AbortController()
  const lookEveryMs = Math.min(500, leaseMs / 4)
  let state: 'new' | 'running' | 'closing' | 'closed' = 'new'
  let takenOver = 0
  let lookAt = 0
  let suspect: Run | undefined
  let offered: string[] = []
  let loops: Promise<unknown> | undefined
  let closing: Promise<void> | undefined

  const tried = async <T>(task: string, fn: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await fn()
    } catch (error) {
      if (!isDbError(error, 'DB_CLOSED')) events.emit('saga.failed', { task, error })
      return undefined
    }
  }

  function onChange(isPressing: boolean): void {
    if (isPressing) lookAt = 0
    if (isPressing || runs.size === concurrency - 1) sleeper.wake()
  }

  async function begin(rows: readonly SagaRow[]): Promise<readonly Run[]> {
    const begun: Run[] = []
    for (const row of rows) {
      // One that can't be begun now is no reason for the others to wait; the heartbeat finds it again.
      await tried(`begin ${row.id}`, async () => {
        const full = await claims.load(row)
        if (full) begun.push(adopt(full))
      })
    }
    return begun
  }

  function adopt(row: SagaRow, birth?: Birth): Run {
    try {
      return hand.adopt(row, birth)
    } catch (error) {
      if (!birth) void tried(`suspend ${row.id}`, () => claims.suspend(row, error))
      throw error
    }
  }

  async function takeOver(limit: number, which: Suspicion): Promise<number> {
    const rows = await claims.takeOver(limit, which)
    takenOver += rows.length
    const [first] = await begin(rows)
    if (which === 'suspects' && first) {
      suspect = first
      // What lives so long has not ended its process.
      void within(leaseMs, first.moved).then(() => {
        suspect = undefined
        onChange(true)
      })
    }
    return rows.length
  }

  /** What others have left, and what has to be seen to from time to time; how much there was. */
  async function look(): Promise<number> {
    // What somebody has begun does not wait for a free place.
    const limit = Math.max(concurrency - runs.size, takeOverAtOnce)
    const others = (await tried('take over', () => takeOver(limit, 'others'))) ?? 0
    // Each alone, so that the one that ends processes takes no other with it.
    const suspects = suspect ? 0 : ((await tried('take over', () => takeOver(1, 'suspects'))) ?? 0)
    for (const [task, fn] of Object.entries(upkeep)) await tried(task, fn)
    // More than fits is taken in the next turns, without waiting.
    if (others === limit) lookAt = 0
    return others + suspects
  }

  async function claim(): Promise<number> {
    const free = concurrency - runs.size
    const rows = await (free > 0 ? claims.claim(free) : claims.claimUndone(takeOverAtOnce))
    await begin(rows)
    return rows.length
  }

  async function turns(): Promise<void> {
    for (let waitMs = minMs; state === 'running'; ) {
      let found = 0
      const now = performance.now()
      if (now >= lookAt) {
        lookAt = now + lookEveryMs
        found += await look()
      }
      const claimed = await tried('claim', claim)
      if (claimed === undefined) await pause(200, closer.signal)
      found += claimed ?? 0
      waitMs = found > 0 ? minMs : Math.min(waitMs * 2, maxMs)
      if (await sleeper.sleep(Math.min(waitMs, lookEveryMs))) waitMs = minMs
    }
  }

  function heard(id: string): void {
    const run = id === '' ? undefined : runs.get(id)
    if (!run) {
      sleeper.wake()
      return
    }
    run.poke()
    void tried(`ask ${id}`, () => askedOf(run))
  }

  async function askedOf(run: Run): Promise<void> {
    const [row] = await sql().query<{ asked: 'cancel' | 'compensate' | null }>(
      'SELECT asked FROM orgdb.saga WHERE id = $1',
      [run.id],
    )
    if (row?.asked) run.ask(row.asked)
  }

  function offer(row: SagaRow): void {
    if (state === 'running' && runs.size < concurrency) {
      adopt(row)
      return
    }
    if (offered.push(row.id) > 1) return
    setImmediate(() => {
      const ids = offered
      offered = []
      void tried('release', async () => {
        await claims.release(ids)
        sleeper.wake()
        wakeUps.announce()
      })
    })
  }

  async function end(drainTimeoutMs: number): Promise<void> {
    if (state === 'running') {
      state = 'closing'
      sleeper.wake()
      for (const run of runs.values()) run.drain()
      const drained = Promise.all([...runs.values()].map((run) => run.ended))
      await within(drainTimeoutMs, drained)
      for (const run of runs.values()) run.drain({ isNow: true })
      // A server that is away must not hold us up: then the leases run out.
      await within(farewellMs, Promise.all([...runs.values()].map((run) => run.ended)))
      closer.abort()
      await within(farewellMs, Promise.all([loops, tried('leave', bury)]))
    }
    state = 'closed'
  }

  async function bury(): Promise<void> {
    if (runs.size > 0) return
    await sql().query(
      `DELETE FROM orgdb.saga_worker w WHERE w.id = $1 OR (w.expires_at < clock_timestamp() - interval '1 hour'
         AND NOT EXISTS (SELECT FROM orgdb.saga s WHERE s.owner = w.id))`,
      [owner],
    )
    wakeUps.announce()
  }

  const close = ({ drainTimeoutMs = 10_000 }: { readonly drainTimeoutMs?: number } = {}): Promise<void> => {
    closing ??= around.run.outside(() => restoreContext({}, () => end(drainTimeoutMs)))
    return closing
  }

  return {
    id: owner,
    takes: ({ name, version }) =>
      state === 'running' && runs.size < concurrency && definitions.get(name, version) !== undefined,
    adopt,
    offer,
    wake: () => sleeper.wake(),
    heard,
    find: (id) => runs.get(id),
    ended: (id) => runs.get(id)?.ended,
    async start() {
      if (state === 'running') return
      if (state !== 'new') throw new SagaError('DB_SAGA_CLOSED', 'The worker is closed')
      const run = async (): Promise<void> => {
        await heartbeat.beat()
        state = 'running'
        const { signal } = closer
        loops = Promise.all([turns(), heartbeat.run(signal), wakeUps.listen(signal, heard)])
      }
      await around.run.outside(() => restoreContext({}, run))
    },
    close,
    metrics: () => ({ inHand: runs.size, finished: hand.finished, takenOver, leasesLost: hand.lost }),
    [Symbol.asyncDispose]: () => close(),
  }
}
