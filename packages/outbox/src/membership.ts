import type { EventSource, SqlExecutor } from '@org/db-core'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'

/** A partition that this process may work on, until it is told otherwise. */
export interface Lease {
  readonly part: number
  /** Grows with each owner: what an earlier one still writes is refused. */
  readonly token: number
  /** All up to here is done. */
  position: number
  /** How often in a row an owner died before it was past what it had in hand. */
  crashes: number
}

/** What a heartbeat found. */
export interface Balance {
  readonly leases: ReadonlyMap<number, Lease>
  readonly gained: readonly Lease[]
  readonly lost: readonly number[]
  /** How many partitions this process should have. */
  readonly share: number
  readonly isPaused: boolean
  /** When to ask again. */
  readonly nextMs: number
}

interface Row {
  readonly part: number | null
  readonly token: string
  readonly position: string
  readonly crashes: number
  readonly share: number
  readonly next_ms: number | null
  readonly paused: boolean
}

export interface MembershipOptions {
  readonly sql: () => SqlExecutor
  readonly events: EventSource<OutboxEvents>
  readonly consumer: string
  readonly member: string
  readonly leaseMs: number
}

/** The process's part in one consumer: rows with expiry and fencing tokens, no locks that outlive a statement. */
export interface Membership {
  readonly leases: ReadonlyMap<number, Lease>
  /** False once the lease has run out by this machine's own clock. */
  readonly isAlive: boolean
  /** `isFresh`: as if nothing had been held before. */
  beat(options?: { readonly isFresh?: boolean }): Promise<Balance>
  /**
   * Stores how far the partitions are; `isStrict` where the same must not be stored twice.
   * @throws OutboxError DB_OUTBOX_LEASE_LOST if one is another's by now
   */
  commit(
    positions: ReadonlyMap<Lease, number>,
    options?: { readonly on?: SqlExecutor; readonly isStrict?: boolean },
  ): Promise<void>
  /** Gives partitions back to whoever has too few. */
  release(parts: readonly number[]): Promise<void>
  leave(): Promise<void>
}

export function createMembership(options: MembershipOptions): Membership {
  const { sql, events, consumer, member, leaseMs } = options
  let leases: ReadonlyMap<number, Lease> = new Map()
  let aliveUntil = 0

  async function beat({ isFresh = false } = {}): Promise<Balance> {
    if (isFresh) leases = new Map()
    const askedAt = performance.now()
    const rows = await sql().query<Row>('SELECT * FROM orgdb.outbox_balance($1, $2, $3)', [
      consumer,
      member,
      leaseMs,
    ])
    const [first] = rows
    if (!first) throw new OutboxError('DB_OUTBOX_NOT_FOUND', `Consumer ${consumer} has been removed`)
    aliveUntil = askedAt + leaseMs
    const found = new Map<number, Lease>()
    const gained: Lease[] = []
    for (const { part, token, position, crashes } of rows) {
      if (part === null) continue
      const known = leases.get(part)
      if (known?.token === Number(token)) found.set(part, known)
      // Given back under another token: what is under way must end before it can be taken up again.
      else if (known === undefined) {
        const lease = { part, token: Number(token), position: Number(position), crashes }
        found.set(part, lease)
        gained.push(lease)
      }
    }
    const lost = [...leases.values()]
      .filter((lease) => found.get(lease.part) !== lease)
      .map(({ part }) => part)
    leases = found
    if (lost.length > 0) events.emit('outbox.lease.lost', { consumer, partitions: lost })
    if (gained.length > 0 || lost.length > 0) {
      const takenOver = gained.filter(({ crashes }) => crashes > 0).length
      events.emit('outbox.partitions.changed', { consumer, partitions: [...found.keys()], takenOver })
    }
    return {
      leases,
      gained,
      lost,
      share: first.share,
      isPaused: first.paused,
      nextMs: nextBeat(first, found.size),
    }
  }

  function nextBeat({ share, next_ms }: Row, mine: number): number {
    // Also how soon a pause or a replay is noticed.
    const regular = Math.min(leaseMs / 3, 1_000)
    // Somebody else's lease is about to end, or somebody is about to hand over.
    const soonest = Math.min(regular, next_ms === null ? regular : Math.max(20, next_ms + 20))
    return mine < share ? Math.min(soonest, 100) : soonest
  }

  return {
    get leases() {
      return leases
    },
    get isAlive() {
      return performance.now() < aliveUntil
    },
    beat,
    async commit(positions, { on = sql(), isStrict = false } = {}) {
      // With the token of the lease under which it was done: what is late must not pass as somebody else's.
      const held = [...positions].map(([{ part, token }, position]) => ({ part, token, position }))
      const rows =
        held.length === 0
          ? []
          : await on.query<{ part: number }>(
              `UPDATE orgdb.outbox_lease l SET position = greatest(l.position, given.position), suspect = NULL, started = 0
               FROM unnest($3::smallint[], $4::bigint[], $5::bigint[]) AS given(part, token, position)
               WHERE l.consumer = $1 AND l.owner = $2 AND l.part = given.part AND l.token = given.token
                 ${isStrict ? 'AND l.position < given.position' : ''}
               RETURNING l.part`,
              [
                consumer,
                member,
                held.map(({ part }) => part),
                held.map(({ token }) => token),
                held.map(({ position }) => position),
              ],
            )
      if (rows.length < held.length) throw leaseLost(consumer)
    },
    async release(parts) {
      const given = parts.flatMap((part) => leases.get(part) ?? [])
      if (given.length === 0) return
      leases = new Map([...leases].filter(([part]) => !parts.includes(part)))
      await sql().query(
        `UPDATE orgdb.outbox_lease l SET owner = NULL FROM unnest($3::smallint[], $4::bigint[]) AS given(part, token)
         WHERE l.consumer = $1 AND l.owner = $2 AND l.part = given.part AND l.token = given.token`,
        [consumer, member, given.map(({ part }) => part), given.map(({ token }) => token)],
      )
      events.emit('outbox.partitions.changed', { consumer, partitions: [...leases.keys()], takenOver: 0 })
    },
    async leave() {
      leases = new Map()
      await sql().query('UPDATE orgdb.outbox_lease SET owner = NULL WHERE consumer = $1 AND owner = $2', [
        consumer,
        member,
      ])
      await sql().query('DELETE FROM orgdb.outbox_member WHERE consumer = $1 AND id = $2', [consumer, member])
    },
  }
}

export function leaseLost(consumer: string): OutboxError {
  return new OutboxError('DB_OUTBOX_LEASE_LOST', `Consumer ${consumer} lost partitions to another process`)
}
