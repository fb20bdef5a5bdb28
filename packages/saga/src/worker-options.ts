import { SagaError } from './errors.ts'

/** How a process runs sagas. */
export interface WorkerOptions {
  /** How many sagas it has in hand at a time. Default 100. */
  readonly concurrency?: number
  /** How long it may be silent until others take its sagas over. Default 10,000 ms. */
  readonly leaseMs?: number
  /** The shortest and the longest time between two looks for work that nobody has told of. Default 20 ms and 500 ms. */
  readonly poll?: { readonly minMs?: number; readonly maxMs?: number }
  /** How many processes a saga may take with it, without getting a step further, until it is left alone. Default 5. */
  readonly maxCrashes?: number
}

/** Runs the sagas of a process. */
export interface Worker {
  /** Names it in `show().owner`. */
  readonly id: string
  /** Begins, in the background. @throws SagaError DB_SAGA_CLOSED after `close` */
  start(): Promise<void>
  /** Ends at the next steps, hands all sagas back, and ends what is under way after `drainTimeoutMs`. Default 10,000 ms. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  metrics(): WorkerMetrics
  [Symbol.asyncDispose](): Promise<void>
}

/** Figures of this process. */
export interface WorkerMetrics {
  readonly inHand: number
  readonly finished: number
  readonly takenOver: number
  readonly leasesLost: number
}

/** @throws SagaError DB_SAGA_OPTIONS */
export function checkPositive(options: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (!(value > 0)) throw new SagaError('DB_SAGA_OPTIONS', `${name} must be greater than 0`)
  }
}
