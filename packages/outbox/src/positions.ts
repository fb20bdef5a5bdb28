import { isDbError } from '@org/db-core'
import type { Lease, Membership } from './membership.ts'

/** Stores how far partitions are, many deliveries in one statement. */
export interface Positions {
  note(positions: ReadonlyMap<Lease, number>, how: { readonly lazily: boolean }): void
  /** Stores what was noted. @throws OutboxError DB_OUTBOX_LEASE_LOST */
  flush(): Promise<void>
  forget(): void
  /** Stores the rest; what can't be stored will be delivered again. */
  close(): Promise<void>
}

/** What was delivered and not stored is delivered again after a crash. */
const soonMs = 50
/** Where nothing was delivered, only retention waits for the cursor. */
const lazyMs = 1_000

export function createPositions(options: {
  readonly membership: Membership
  readonly onLost: () => void
  readonly onError: (error: unknown) => void
}): Positions {
  const { membership, onLost, onError } = options
  let noted = new Map<Lease, number>()
  let timer: { readonly handle: NodeJS.Timeout; readonly at: number } | undefined
  let last: Promise<void> = Promise.resolve()
  let isClosed = false

  function schedule(ms: number): void {
    const at = performance.now() + ms
    if (isClosed) return
    if (timer && timer.at <= at) return
    if (timer) clearTimeout(timer.handle)
    timer = { at, handle: setTimeout(() => void flush().catch(report), ms) }
  }

  function report(error: unknown): void {
    if (isDbError(error, 'DB_OUTBOX_LEASE_LOST')) onLost()
    else onError(error)
  }

  function flush(): Promise<void> {
    if (timer) clearTimeout(timer.handle)
    timer = undefined
    // One after the other, so that an earlier position never overwrites a later one.
    const current = last.then(async () => {
      if (noted.size === 0) return
      const positions = noted
      noted = new Map()
      try {
        await membership.commit(positions)
        for (const [lease, position] of positions) lease.position = Math.max(lease.position, position)
      } catch (error) {
        if (!isDbError(error, 'DB_OUTBOX_LEASE_LOST')) {
          for (const [lease, position] of positions) if (!noted.has(lease)) noted.set(lease, position)
          schedule(lazyMs)
        }
        throw error
      }
    })
    last = current.catch(() => undefined)
    return current
  }

  return {
    note(positions, { lazily }) {
      for (const [lease, position] of positions) noted.set(lease, position)
      schedule(lazily ? lazyMs : soonMs)
    },
    flush,
    forget() {
      noted = new Map()
    },
    async close() {
      // What ends later than that has been given up.
      isClosed = true
      await flush().catch(report)
    },
  }
}
