import type { EventSource, SqlClient } from '@org/db-core'
import type { Breaker } from './breaker.ts'
import type { ConsumerSettings } from './consumer-options.ts'
import type { OutboxEvents } from './events.ts'
import type { Handler } from './handler.ts'
import type { Lease, Membership } from './membership.ts'
import type { Parked } from './parked.ts'

/** What lanes have done, added up. */
export interface Tally {
  deliveries: number
  failures: number
  retries: number
  parked: number
  dead: number
}

/** What a lane needs around it. */
export interface LaneOptions {
  readonly settings: ConsumerSettings
  readonly sql: () => SqlClient
  readonly events: EventSource<OutboxEvents>
  readonly handler: Handler
  readonly commit: Membership['commit']
  readonly parked: Parked
  readonly breaker: Breaker
  readonly tally: Tally
  /** Told when events have left the lane. */
  readonly onProgress: () => void
  /** Told how far partitions are, to be stored soon; `lazily` when nothing was delivered on the way. */
  readonly onDone: (positions: ReadonlyMap<Lease, number>, how: { readonly lazily: boolean }) => void
  /** Told that what is done here is not this process's any more. */
  readonly onLost: () => void
  /** Stores at once what `onDone` has been told. */
  readonly flush: () => Promise<void>
  /** Told when something that waits is due. */
  readonly onDelay: (ms: number) => void
  /** Whether failures are to be left to the next process. */
  readonly isClosing: () => boolean
  /** Whether nothing more is to be delivered, because of the end or of a pause. */
  readonly isStopping: () => boolean
  /** Resolves when the signal aborts or time is up. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>
}
