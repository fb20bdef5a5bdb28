import { setTimeout as delay } from 'node:timers/promises'
import { restoreContext } from '../../context.ts'
import type { DatabaseEvents, EventSource } from '../../events.ts'
import { parseLsn } from './lsn.ts'
import type { ReplicaNode, ReplicaState } from './node.ts'
import type { PrimaryPosition } from './position.ts'

/** Keeps up to date what is known about replicas. */
export interface Monitor {
  /** Begins to check at intervals; resolves when each replica has been checked once. */
  start(): Promise<void>
  /** Checks one now, unless that has just been done. */
  refresh(node: ReplicaNode): void
  /** A connection to it failed: it is left out until a check succeeds. */
  suspect(node: ReplicaNode): void
  stop(): Promise<void>
}

/** What is checked, and when. */
export interface MonitorOptions {
  readonly nodes: readonly ReplicaNode[]
  readonly position: PrimaryPosition
  readonly events: EventSource<DatabaseEvents>
  readonly maxLagMs: number
  readonly checkIntervalMs: number
}

interface Answer {
  readonly standby: boolean
  readonly lsn: string | null
  /** Since the last transaction that it replayed. */
  readonly sinceMs: number | null
}

const question = `SELECT pg_is_in_recovery() AS standby, pg_last_wal_replay_lsn()::text AS lsn,
  (extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000)::float8 AS "sinceMs"`

/** How fresh an answer is enough for a read that waits for a position. */
const freshMs = 20

/** Asks replicas how far they are: at intervals, and when a read would like to know. */
export function createMonitor(options: MonitorOptions): Monitor {
  const { nodes, position, events, maxLagMs, checkIntervalMs } = options
  const answerMs = Math.min(Math.max(checkIntervalMs, 1_000), 5_000)
  let started: Promise<void> | undefined
  let timer: NodeJS.Timeout | undefined
  let stopped = false
  /** When the first check began: the least that a replica can be behind which has not moved since. */
  let beganAt = 0

  async function round(): Promise<void> {
    // Without the primary the last known position has to do: reading goes on.
    await inTime(position.current(), answerMs).catch(() => undefined)
    await Promise.all(nodes.map(check))
    if (stopped) return
    timer = setTimeout(() => void round(), checkIntervalMs)
    timer.unref()
  }

  function check(node: ReplicaNode): Promise<void> {
    node.checking ??= ask(node).finally(() => {
      node.checking = undefined
    })
    return node.checking
  }

  async function ask(node: ReplicaNode): Promise<void> {
    const startedAt = performance.now()
    try {
      const { rows } = await inTime(
        restoreContext({}, () => node.checkPool.query<Answer>(question)),
        answerMs,
      )
      if (rows[0]) take(node, rows[0], startedAt)
    } catch {
      // Why it does not answer is no matter: it is probed again.
      if (stopped) return
      node.forget()
      node.lagMs = undefined
      node.lagBytes = undefined
      node.cutConnections()
      change(node, 'down')
    }
  }

  function take(node: ReplicaNode, { standby, lsn, sinceMs }: Answer, startedAt: number): void {
    node.checkedAt = startedAt
    node.replayed = lsn === null ? undefined : parseLsn(lsn)
    if (!standby) {
      change(node, 'promoted')
      return
    }
    const { last } = position
    if (node.replayed === undefined || last === undefined) {
      node.lagMs = node.replayed === undefined ? undefined : (sinceMs ?? undefined)
    } else {
      node.lagBytes = node.replayed >= last ? 0 : Number(last - node.replayed)
      node.lagMs = Math.round(
        position.ageMs(node.replayed) ?? Math.max(sinceMs ?? 0, performance.now() - beganAt),
      )
    }
    // A server that does not tell its position, as some managed ones, serves what need not be consistent.
    change(node, (node.lagMs ?? 0) > maxLagMs ? 'lagging' : 'up')
  }

  function change(node: ReplicaNode, to: ReplicaState): void {
    const from = node.reported
    node.state = to
    if (from === to) return
    node.reported = to
    if (to === 'up') {
      if (from !== 'unknown') events.emit('database.replica.up', { name: node.name, lagMs: node.lagMs ?? 0 })
      return
    }
    events.emit('database.replica.down', {
      name: node.name,
      reason: to === 'lagging' || to === 'promoted' ? to : 'unreachable',
      ...(node.lagMs !== undefined && { lagMs: node.lagMs }),
    })
  }

  return {
    start() {
      if (stopped) return Promise.resolve()
      if (!started) beganAt = performance.now()
      started ??= round()
      return started
    },
    refresh(node) {
      if (stopped || node.state === 'unknown' || performance.now() - node.checkedAt < freshMs) return
      void check(node)
    },
    suspect(node) {
      node.forget()
      if (node.state === 'up') node.state = 'unknown'
      // A check that is under way may have begun before the failure.
      const after = node.checking ?? Promise.resolve()
      void after.then(() => (stopped ? undefined : check(node)))
    },
    async stop() {
      stopped = true
      clearTimeout(timer)
      await Promise.all(nodes.map((node) => node.close()))
    },
  }
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  const limit = new AbortController()
  try {
    return await Promise.race([
      work,
      delay(ms, undefined, { ref: false, signal: limit.signal }).then(() => {
        throw new Error('No answer in time')
      }),
    ])
  } finally {
    limit.abort()
  }
}
