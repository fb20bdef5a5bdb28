import type { StoredError } from './errors.ts'
import { type Entry, emptyRecord, fold } from './journal.ts'
import type { SagaState } from './saga-state.ts'

/** Which sagas to list. All that is given must hold. */
export interface ListOptions {
  readonly name?: string
  /** Default: all. */
  readonly states?: readonly SagaState[]
  /** Those that were started with at least these. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Default 100. */
  readonly limit?: number
  /** Those that were created before this one of an earlier page, `createdAt` and `id`. */
  readonly before?: { readonly createdAt: Date; readonly id: string }
}

/** A saga in a list. */
export interface SagaSummary {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly state: SagaState
  /** The latest step that was begun. */
  readonly step: string | null
  readonly error: StoredError | null
  /** The process that has it. */
  readonly owner: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly finishedAt: Date | null
  readonly attributes: Readonly<Record<string, string | number | boolean>> | null
}

/** A saga with all that has happened to it. */
export interface SagaDetails extends SagaSummary {
  readonly input: unknown
  readonly output: unknown
  readonly parent: string | null
  readonly deadlineAt: Date | null
  /** When it can go on by itself. */
  readonly runAt: Date | null
  /** How many processes have died over it in a row. */
  readonly crashes: number
  readonly steps: readonly StepDetails[]
  readonly signals: readonly {
    readonly name: string
    readonly id: string
    readonly at: Date
    readonly isTaken: boolean
  }[]
}

/** One step of a saga. */
export interface StepDetails {
  readonly step: string
  readonly state: 'started' | 'done' | 'failed' | 'unknown' | 'waiting'
  readonly isSkipped: boolean
  readonly output: unknown
  readonly error?: StoredError
  readonly compensation: 'none' | 'done' | 'stuck'
  readonly compensationError?: StoredError
  /** Every entry of the journal about it, with its time. */
  readonly history: readonly { readonly event: string; readonly at: Date }[]
}

/** How many sagas of a version are not over. */
export interface VersionReport {
  readonly name: string
  readonly version: number
  readonly states: Readonly<Partial<Record<SagaState, number>>>
  /** Whether this process can run them. */
  readonly isKnown: boolean
}

/** What people do with sagas that don't end by themselves. */
export interface SagaOperator {
  /** The newest first. */
  list(options?: ListOptions): Promise<readonly SagaSummary[]>
  /** @throws SagaError DB_SAGA_NOT_FOUND */
  show(id: string): Promise<SagaDetails>
  /**
   * Lets a saga that is stuck or waits go on at once: steps that failed are tried anew, or a compensation that did.
   * @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE
   */
  retry(id: string): Promise<void>
  /**
   * Gives a step's result in its place, or takes its compensation as done, and lets the saga go on.
   * @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE, DB_SAGA_VALUE
   */
  skip(id: string, step: string, options?: { readonly output?: unknown }): Promise<void>
  /**
   * Undoes a saga, also one that is completed or behind its pivot; one that a process has in hand turns back by itself,
   * unless it is behind its pivot. @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE
   */
  compensate(id: string): Promise<void>
  /** Asks a saga to turn back; behind its pivot it goes on. @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE */
  cancel(id: string): Promise<void>
  /**
   * Starts a new saga that finds all steps done that this one had done before `from`. Returns its id.
   * @throws SagaError DB_SAGA_NOT_FOUND for a saga or step that is not there
   */
  fork(
    id: string,
    options: { readonly from: string; readonly id: string; readonly input?: unknown },
  ): Promise<string>
  /** Which versions are in flight. */
  versions(): Promise<readonly VersionReport[]>
}

/** The steps of a journal, as people look at them. */
export function stepsOf(journal: readonly Entry[]): readonly StepDetails[] {
  return [...fold(emptyRecord(), journal).steps.values()].map((step) => ({
    step: step.name,
    state: step.state,
    isSkipped: step.isSkipped,
    output: step.output,
    ...(step.error && { error: step.error }),
    compensation: step.compensation,
    ...(step.compensationError && { compensationError: step.compensationError }),
    history: journal.filter(({ n }) => n === step.name).map(({ k, t }) => ({ event: k, at: new Date(t) })),
  }))
}
