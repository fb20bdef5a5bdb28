import { createEvents, type Events, type Interceptor, type Next, type Operation } from '@org/db-core'
import { createEngine, type Engine } from './engine.ts'
import type { RetryEvents } from './events.ts'
import { createGuards } from './guards.ts'
import { createTally, type RetryMetrics } from './metrics.ts'
import type { RetryOptions } from './options.ts'
import { frames, isInner, rulingEngine } from './ruling.ts'
import { parseOptions } from './settings.ts'

/** How one piece of work is to be retried. */
export interface RunOptions {
  /** Names it in events. Default `anonymous`. */
  readonly name?: string
  /** Doing it twice does no harm, so a lost connection is no reason to stop. Default `false`. */
  readonly idempotent?: boolean
}

/**
 * A retry with all that its work shares: budget, breaker, bulkhead and figures. It is an interceptor, to be given
 * to `createDatabase({ use: […] })`; `run` does the same for any other work.
 */
export interface Retry extends Interceptor {
  /**
   * Runs `fn`, again from its beginning if it fails and trying again can do no harm: so let it be one statement,
   * one transaction, or work that may be done twice. Inside a transaction it runs once: the whole is repeated.
   */
  run<T>(fn: () => Promise<T>, options?: RunOptions): Promise<T>
  readonly events: Events<RetryEvents>
  metrics(): RetryMetrics
}

const engines = new WeakMap<Retry, Engine>()

/**
 * Retries what PostgreSQL, Prisma, the pooler or the network failed to do: single reads and writes, and whole
 * transactions; never a statement inside a transaction, and never work whose outcome is unknown.
 * @throws RetryConfigError naming every wrong option
 */
export function retry(options: RetryOptions = {}): Retry {
  const settings = parseOptions(options)
  const events = createEvents<RetryEvents>()
  const engine = createEngine({
    settings,
    guards: createGuards(settings, events),
    tally: createTally(),
    events,
  })
  const made: Retry = {
    name: 'retry',
    stage: 'retry',
    intercept: (operation, next) => interceptOperation(engine, operation, next),
    run: (fn, { name, idempotent = false } = {}) => runFramed(engine, { run: fn, name, idempotent }),
    events,
    metrics: () => engine.metrics(),
  }
  engines.set(made, engine)
  return made
}

/** The engine of a retry; for the other forms of it. */
export function engineOf(given: Retry | RetryOptions): Engine {
  const known = engines.get(given as Retry)
  if (known) return known
  const made = engines.get(retry(given as RetryOptions))
  return made as Engine
}

function interceptOperation(own: Engine, operation: Operation, next: Next): Promise<unknown> {
  if (operation.inTransaction) return next(operation)
  const frame = frames.getStore()
  const engine = rulingEngine(own, frame)
  const { kind, action } = operation
  const run =
    action === '$transaction'
      ? () => frames.run(engine.frames.transaction, next, operation)
      : () => next(operation)
  return engine.run({ run, operation, idempotent: kind === 'read', isInner: isInner(engine, frame) })
}

/** A piece of work as the outer forms hand it over. */
export interface FramedWork<T> {
  readonly run: () => Promise<T>
  readonly name?: string | undefined
  readonly operation?: Operation
  readonly idempotent: boolean
}

/** Runs work so that levels further in know of it. */
export function runFramed<T>(own: Engine, { run, name, operation, idempotent }: FramedWork<T>): Promise<T> {
  const frame = frames.getStore()
  if (frame?.inTransaction) return run()
  const engine = rulingEngine(own, frame)
  return engine.run({
    run: () => frames.run(engine.frames.work, run),
    name,
    operation,
    idempotent,
    isInner: isInner(engine, frame),
  })
}
