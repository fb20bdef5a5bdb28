import {
  createEvents,
  type Events,
  type Interceptor,
  type InterceptorHost,
  type Next,
  type Operation,
} from '@org/db-core'
import { createEngine, type Engine } from './engine.ts'
import { RetryConfigError } from './errors.ts'
import type { RetryEvents } from './events.ts'
import { createGuards } from './guards.ts'
import { createTally, type RetryMetrics } from './metrics.ts'
import type { RetryOptions } from './options.ts'
import { currentFrame, frameOf, isInTransaction, levelOf, wholly, within } from './ruling.ts'
import type { RunOptions } from './run-options.ts'
import { parseOptions, parseRunOptions } from './settings.ts'

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

const noOptions: RunOptions = {}

/** Options of another retry: its budget, breaker, bulkhead and figures; nothing of `RetryOptions` stands beside it. */
export type By = { readonly by: Retry } & { readonly [Field in keyof RetryOptions]?: never }

const engines = new WeakMap<object, Engine>()

/**
 * Retries what PostgreSQL, Prisma, the pooler or the network failed to do: single reads and writes, and whole
 * transactions; never a statement inside a transaction, and never work whose outcome is unknown.
 * @throws RetryConfigError naming every wrong option
 */
export function retry(options: RetryOptions = {}): Retry {
  const settings = parseOptions(options)
  const events = createEvents<RetryEvents>()
  const hosts = new Set<InterceptorHost>()
  const engine = createEngine({
    settings,
    guards: createGuards(settings, events),
    tally: createTally(),
    events,
    isTransactionOpen: () => [...hosts].some((host) => host.hooks() !== undefined),
  })
  const made: Retry = {
    name: 'retry',
    stage: 'retry',
    attach(host) {
      hosts.add(host)
      host.onClose(async () => void hosts.delete(host))
    },
    intercept: (operation, next) => interceptOperation(engine, operation, next),
    run(fn, given) {
      // Not looked at on the way of every call.
      const { name, idempotent = false } = given ? parseRunOptions(given) : noOptions
      return runFramed(engine, { run: fn, name, idempotent })
    },
    events,
    metrics: () => engine.metrics(),
  }
  engines.set(made, engine)
  return made
}

/** The engine of a retry; for the other forms of it. @throws RetryConfigError naming every wrong option */
export function engineOf(given: RetryOptions | { readonly by: Retry }): Engine {
  if (!('by' in given)) return engineIn(retry(given))
  const { by, ...others } = given
  const known = typeof by === 'object' && by !== null ? engines.get(by) : undefined
  const problems = [
    ...(known ? [] : [{ field: 'by', problem: 'must be what retry() returns' }]),
    ...Object.keys(others).map((field) => ({
      field,
      problem: 'must not stand beside by, whose options hold',
    })),
  ]
  if (!known || problems.length > 0) throw new RetryConfigError(problems)
  return known
}

function engineIn(made: Retry): Engine {
  return engines.get(made) as Engine
}

function interceptOperation(own: Engine, operation: Operation, next: Next): Promise<unknown> {
  if (operation.inTransaction) return next(operation)
  const { kind, action } = operation
  const level = levelOf(own, currentFrame())
  const run =
    action === '$transaction'
      ? () => wholly(frameOf(level, own.isTransactionOpen), () => next(operation))
      : () => next(operation)
  return level.engine.run({ run, operation, idempotent: kind === 'read', level })
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
  const frame = currentFrame()
  if (isInTransaction(frame)) return run()
  const level = levelOf(own, frame)
  const inside = frameOf(level)
  return level.engine.run({ run: () => within(inside, run), name, operation, idempotent, level, inside })
}
