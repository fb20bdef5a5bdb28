import type { EventSource, InterceptorHost, SqlClient } from '@org/db-core'
import type { CommonStepOptions } from './context.ts'
import type { SagaDefinition } from './definition.ts'
import type { StoredError } from './errors.ts'
import type { SagaEvents } from './events.ts'
import type { Feed } from './feed.ts'
import type { SagaState } from './saga-state.ts'
import type { Writer } from './writer.ts'

/** What a run needs around it. */
export interface RunAround {
  readonly sql: () => SqlClient
  readonly hooks: InterceptorHost['hooks']
  readonly events: EventSource<SagaEvents>
  readonly feed: Feed | undefined
  readonly writer: Writer
  /** The server's time, epoch milliseconds: what sagas wait for is compared with its clock, whatever ours says. */
  readonly now: () => number
  /** Runs `fn` in nobody's transaction and context. */
  readonly outside: <T>(fn: () => T) => T
  /** Starts a child, unless it is there already. */
  readonly startChild: (child: ChildStart) => Promise<void>
  /** Asks a child that is completed to be undone, and tells what has become of it. */
  readonly undoChild: (child: ChildUndo) => Promise<void>
}

export interface ChildStart {
  readonly definition: SagaDefinition
  readonly input: unknown
  readonly id: string
  readonly parent: string
  readonly parentStep: string
}

export interface ChildUndo {
  readonly id: string
  /** Whether it had been completed, and so must be there. */
  readonly wasDone: boolean
  readonly signal: AbortSignal
}

/** How a run was over, for this process. */
export interface Ended {
  /** `parked`: it waits in the database. `handed-back`: another process may go on. */
  readonly how: 'finished' | 'parked' | 'handed-back' | 'lost' | 'taken-id'
  readonly state?: SagaState
  readonly output?: unknown
  readonly error?: StoredError
}

/** How a step is undone. */
export interface Undoing {
  readonly kind: 'call' | 'transaction'
  readonly compensate: NonNullable<CommonStepOptions<unknown>['compensate']>
  readonly retry: CommonStepOptions<unknown>['compensateRetry']
  /** Longest attempt; a child's takes as long as it takes. */
  readonly timeoutMs: number | undefined
}
