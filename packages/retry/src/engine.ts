import { currentContext, DatabaseError, type EventSource, type Operation } from '@org/db-core'
import { createBackoff } from './backoff.ts'
import { RetryError } from './errors.ts'
import type { FailureEvent, RetryEvents } from './events.ts'
import { isConflict, type Reading, readFailure, tellsTransactionOver } from './failure-reading.ts'
import type { Guards } from './guards.ts'
import { handOn, wasHandedOn } from './handed-on.ts'
import type { RetryMetrics, Tally } from './metrics.ts'
import type { Failure, GiveUpReason } from './options.ts'
import type { Frame, Level } from './ruling.ts'
import type { Settings } from './settings.ts'
import { settle } from './settlement.ts'

/** One piece of work, which can be done again from its beginning. */
export interface Work<T> {
  readonly run: () => Promise<T>
  /** Of a function; an operation names itself. */
  readonly name?: string | undefined
  readonly operation?: Operation | undefined
  /** Doing it twice does no harm. */
  readonly idempotent: boolean
  readonly level: Level
  /** What its attempts tell levels inside of them. */
  readonly inside?: Frame
}

/** The loop, with what all work shares: budget, breaker, bulkhead, figures. */
export interface Engine {
  run<T>(work: Work<T>): Promise<T>
  readonly guards: Guards
  /** What holds for its work where no level is further out. */
  readonly outermost: Level
  /** Whether the running code is in a transaction of a database that this is an interceptor of. */
  isTransactionOpen(): boolean
  metrics(): RetryMetrics
}

/** What an engine is made of. */
export interface EngineParts {
  readonly settings: Settings
  readonly guards: Guards
  readonly tally: Tally
  readonly events: EventSource<RetryEvents>
  readonly isTransactionOpen: () => boolean
}

/** Where a piece of work stands. */
interface Progress<T> {
  readonly work: Work<T>
  readonly startedAt: number
  readonly attempt: number
  readonly reading: Reading
}

/** Makes the loop. It is written here and not taken from cockatiel, whose waits ignore the signal. */
export function createEngine({ settings, guards, tally, events, isTransactionOpen }: EngineParts): Engine {
  const { clock, attempts, maxElapsedMs } = settings

  const isBare = guards.isOpen && !guards.isLimited

  async function run<T>(work: Work<T>): Promise<T> {
    tally.calls += 1
    for (const each of work.level.concerned) each.guards.budget?.deposit()
    const { signal } = currentContext()
    if (signal?.aborted) throw refused(subjectOf(work), signal)
    const startedAt = clock.now()
    try {
      return await tryOnce(work)
    } catch (error) {
      return await recover(work, startedAt, error)
    } finally {
      if (work.inside) work.inside.isOver = true
    }
  }

  /** One attempt, when the guards that were not passed further out let it through. */
  function tryOnce<T>({ run, level: { toPass } }: Work<T>): Promise<T> {
    if (isBare && toPass.length === 1 && toPass[0] === engine) return run()
    let step = guards.isLimited && toPass.includes(engine) ? () => guards.limit(run) : run
    for (const each of toPass) {
      if (each.guards.isOpen) continue
      const inner = step
      step = () => each.guards.pass(inner)
    }
    return step()
  }

  /** Everything from the first failure on; a success never gets here. */
  async function recover<T>(work: Work<T>, startedAt: number, firstError: unknown): Promise<T> {
    const nextDelayMs = createBackoff(settings.backoff)
    let error = firstError
    for (let attempt = 1; ; attempt += 1) {
      if (wasHandedOn(error)) throw error
      const reading = readFailure(error, work)
      // A statement inside of somebody's transaction: the first error is the one that says why.
      if (attempt > 1 && !work.operation && tellsTransactionOver(reading)) throw firstError
      const progress = { work, startedAt, attempt, reading }
      const settled = await settle(toFailure(progress), reading, { settings, events })
      if (typeof settled === 'object') return settled.committed as T
      if (settled === 'final') throw error
      count(reading)
      const delayMs = nextDelayMs()
      const reason = settled === 'unknown' ? 'unknown-outcome' : reasonToStop(progress, delayMs)
      if (reason) return giveUp(progress, reason)
      await pause(progress, delayMs)
      try {
        const result = await tryOnce(work)
        tally.recovered += 1
        events.emit('retry.recovered', {
          subject: subjectOf(work),
          attempts: attempt + 1,
          elapsedMs: clock.now() - startedAt,
        })
        return result
      } catch (failure) {
        error = failure
      }
    }
  }

  function reasonToStop<T>(
    { work, attempt, startedAt, reading }: Progress<T>,
    delayMs: number,
  ): GiveUpReason | undefined {
    if (reading.error instanceof RetryError) {
      return reading.error.code === 'DB_RETRY_BULKHEAD_FULL' ? 'bulkhead' : 'circuit'
    }
    const { deadlineAt, signal } = currentContext()
    const resumesAt = clock.now() + delayMs
    if (signal?.aborted) return 'aborted'
    if (attempt >= attempts) return 'attempts'
    if (resumesAt - startedAt > maxElapsedMs) return 'elapsed'
    if (deadlineAt !== undefined && resumesAt >= deadlineAt) return 'deadline'
    return isConflict(reading) || withdraw(work) ? undefined : 'budget'
  }

  const withdraw = ({ level: { concerned } }: Work<unknown>): boolean =>
    concerned.every((each) => each.guards.budget?.withdraw() ?? true)

  async function pause<T>(progress: Progress<T>, delayMs: number): Promise<void> {
    const { work, attempt, reading } = progress
    const { signal } = currentContext()
    tally.retries += 1
    events.emit('retry.scheduled', { ...toEvent(work, attempt, reading), delayMs })
    try {
      await clock.sleep(delayMs, signal)
    } catch (error) {
      if (!signal?.aborted) throw error
      report(progress, 'aborted')
      throw cancelled(subjectOf(work), signal, reading)
    }
  }

  async function giveUp<T>(progress: Progress<T>, reason: GiveUpReason): Promise<T> {
    const { reading, work } = progress
    report(progress, reason)
    if (settings.fallback && reason !== 'unknown-outcome' && reason !== 'aborted') {
      return (await settings.fallback({ ...toFailure(progress), reason })) as T
    }
    if (work.level.isInner) handOn(reading.error)
    throw reading.error
  }

  function report<T>({ work, attempt, reading, startedAt }: Progress<T>, reason: GiveUpReason): void {
    tally.gaveUp[reason] += 1
    const elapsedMs = clock.now() - startedAt
    events.emit('retry.gave-up', { ...toEvent(work, attempt, reading), reason, elapsedMs })
  }

  function count({ dbError }: Reading): void {
    tally.countFailure(dbError?.code ?? 'other', sqlStateOf(dbError))
  }

  let outermost: Level | undefined
  const engine: Engine = {
    run,
    guards,
    isTransactionOpen,
    get outermost() {
      outermost ??= outermostOf(engine)
      return outermost
    },
    metrics: () => ({
      calls: tally.calls,
      retries: tally.retries,
      recovered: tally.recovered,
      gaveUp: { ...tally.gaveUp },
      failures: tally.failures(),
      ...guards.metrics(),
    }),
  }
  return engine
}

function outermostOf(engine: Engine): Level {
  return { engine, concerned: [engine], toPass: [engine], guarded: [], isInner: false }
}

function subjectOf<T>({ name, operation }: Work<T>): string {
  if (!operation) return name ?? 'anonymous'
  return operation.model === undefined ? operation.action : `${operation.model}.${operation.action}`
}

function toFailure<T>({ work, attempt, reading }: Progress<T>): Failure {
  const { error, dbError } = reading
  return { subject: subjectOf(work), error, dbError, attempt, operation: work.operation }
}

function toEvent<T>(work: Work<T>, attempt: number, { dbError }: Reading): FailureEvent {
  const sqlState = sqlStateOf(dbError)
  return {
    subject: subjectOf(work),
    attempt,
    ...(dbError && { code: dbError.code }),
    ...(sqlState !== undefined && { sqlState }),
  }
}

function sqlStateOf(dbError: object | undefined): string | undefined {
  const sqlState: unknown = dbError && Reflect.get(dbError, 'sqlState')
  return typeof sqlState === 'string' ? sqlState : undefined
}

function refused(subject: string, signal: AbortSignal): DatabaseError {
  return new DatabaseError('DB_CANCELLED', `${subject} was not begun: its signal had been aborted`, {
    cause: signal.reason,
    outcome: 'not-sent',
  })
}

function cancelled(subject: string, signal: AbortSignal, { outcome }: Reading): DatabaseError {
  return new DatabaseError('DB_CANCELLED', `${subject} was cancelled by its signal between two attempts`, {
    cause: signal.reason,
    outcome: outcome ?? 'rolled-back',
  })
}
