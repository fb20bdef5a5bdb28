import type { SqlExecutor } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import type { Holding } from './holding.ts'
import { leaseLost } from './membership.ts'
import type { FeedEvent } from './outbox-event.ts'

/** So many events behind the cursor can have been in hand when an owner died. */
const suspects = ({ maxCount }: ConsumerSettings): number => maxCount * 2

/** Finds the event that ends its process each time, among those that a dead owner had in hand. */
export class CrashWatch {
  readonly #options: {
    readonly settings: ConsumerSettings
    readonly sql: () => SqlExecutor
    readonly holding: Holding
  }
  /** How many events are still under suspicion, after how many crashes. */
  #left = 0
  #crashes = 0

  constructor(options: {
    readonly settings: ConsumerSettings
    readonly sql: () => SqlExecutor
    readonly holding: Holding
  }) {
    this.#options = options
  }

  get isOn(): boolean {
    return this.#left > 0
  }

  /** How many events may be in hand at once: few after one crash, one after more. */
  get maxCount(): number {
    const { maxCount } = this.#options.settings
    if (this.#left === 0) return maxCount
    return this.#crashes === 1 ? Math.max(1, Math.floor(maxCount / 16)) : 1
  }

  /** Begins with the partitions that are held. */
  begin(): void {
    const { holding, settings } = this.#options
    this.#crashes = Math.max(0, ...holding.leases.map(({ crashes }) => crashes))
    this.#left = this.#crashes > 0 ? suspects(settings) : 0
  }

  /** Counts the start of an event's handling before it begins, so that one that ends the process is found out. */
  async isKiller(event: FeedEvent): Promise<boolean> {
    if (this.#left === 0 || this.#crashes < 2) return false
    const { settings, sql, holding } = this.#options
    const lease = holding.leases.find(({ part }) => part === event.part)
    const [row] = await sql().query<{ started: number }>(
      `UPDATE orgdb.outbox_lease SET started = CASE WHEN suspect = $3 THEN started + 1 ELSE 1 END, suspect = $3
       WHERE consumer = $1 AND part = $2 AND token = $4 RETURNING started`,
      [settings.name, event.part, event.seq, lease?.token ?? -1],
    )
    if (!row) throw leaseLost(settings.name)
    return row.started > settings.maxCrashes
  }

  /** Past what the dead owner had in hand, the partition is as good as any. */
  async relax(count: number, { isLast }: { readonly isLast: boolean }): Promise<void> {
    const { settings, sql, holding } = this.#options
    this.#left = Math.max(0, this.#left - count)
    if (this.#left > 0 && !isLast) return
    this.#left = 0
    this.#crashes = 0
    for (const lease of holding.leases) lease.crashes = 0
    await sql().query(
      `UPDATE orgdb.outbox_lease l SET crashes = 0 FROM unnest($2::smallint[], $3::bigint[]) AS held(part, token)
       WHERE l.consumer = $1 AND l.part = held.part AND l.token = held.token`,
      [settings.name, holding.parts, holding.leases.map(({ token }) => token)],
    )
  }
}
