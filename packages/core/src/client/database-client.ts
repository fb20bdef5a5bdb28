import pg from 'pg'
import { currentContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import { requestCancel } from './cancel-request.ts'
import { queryWith, type Settings } from './preset-query.ts'

/** How long the answer to a cancel request may take before the connection is given up. */
const graceMs = 1_000

/** The rows of the statements that were sent together with BEGIN. */
export type BeginRows = readonly (readonly Record<string, unknown>[])[]

/** What is to be sent together with the next BEGIN, in one message. */
export interface Begin {
  /** SQL after `BEGIN`: modes of the transaction, then statements, each begun by a semicolon. */
  readonly sql: string
  /** Takes the rows of the statements after BEGIN. */
  readonly onRows?: (rows: BeginRows) => void
  /** A better error than the server's, if there is one. */
  readonly onError?: (error: unknown) => Error | undefined
}

/** A connection of the pool. */
export interface DatabaseClient extends pg.Client {
  /** Consumed by the next BEGIN. */
  beginWith: Begin | undefined
  /** Consumed by the next statement: settings that hold for it alone. */
  presetWith: Settings | undefined
}

/** Makes the pool's class of clients. `queryTimeoutMs`: longest run of a statement, 0 for no limit. */
export function databaseClientClass(
  queryTimeoutMs: number,
): new (
  config?: string | pg.ClientConfig,
) => DatabaseClient {
  return class extends pg.Client implements DatabaseClient {
    beginWith: Begin | undefined
    presetWith: Settings | undefined

    // node-postgres overloads `query` nine times; only promises are watched, callbacks and streams pass through.
    override query(...args: never[]): never {
      const [first] = args as readonly unknown[]
      const text = typeof first === 'string' ? first : (first as { text?: unknown } | null)?.text
      if (typeof args.at(-1) === 'function' || typeof text !== 'string')
        return super.query(...(args as unknown as [string])) as never
      const limits = limitsOf(queryTimeoutMs)
      if (limits.refusal) return Promise.reject(limits.refusal) as never
      if (text === 'BEGIN' && this.beginWith) return this.#begin(this.beginWith) as never
      const running = this.#send(args)
      if (text === 'COMMIT') return running.then(assertCommitted) as never
      return limit(this, running, limits) as never
    }

    #send(args: readonly unknown[]): Promise<pg.QueryResult> {
      const send = (...given: readonly unknown[]): unknown => super.query(...(given as [string]))
      const preset = this.presetWith
      this.presetWith = undefined
      return (preset ? queryWith(preset, args, send) : send(...args)) as Promise<pg.QueryResult>
    }

    async #begin({ sql, onRows, onError }: Begin): Promise<pg.QueryResult> {
      this.beginWith = undefined
      const results = (await super.query(`BEGIN${sql}`).catch((error: unknown) => {
        throw onError?.(error) ?? error
      })) as unknown as pg.QueryResult | pg.QueryResult[]
      const [begin, ...others] = Array.isArray(results) ? results : [results]
      onRows?.(others.map(({ rows }) => rows))
      return begin as pg.QueryResult
    }
  }
}

/**
 * PostgreSQL answers COMMIT of a failed transaction with ROLLBACK and no error, so a caller who swallowed the
 * failure would believe that the rows are stored. Here it is an error.
 * https://www.postgresql.org/docs/current/sql-commit.html
 */
function assertCommitted(result: pg.QueryResult): pg.QueryResult {
  if (result.command !== 'ROLLBACK') return result
  const error = new Error('current transaction is aborted: COMMIT was answered with ROLLBACK')
  // The shape of a server's error, so that Prisma's adapter passes it on.
  throw Object.assign(error, { code: '25P02', severity: 'ERROR' })
}

interface Limits {
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  readonly refusal?: DatabaseError
}

/** The shortest of the query timeout and the deadline of the caller's context. */
function limitsOf(queryTimeoutMs: number): Limits {
  const { deadlineAt, signal } = currentContext()
  if (signal?.aborted) return { timeoutMs: 0, signal, refusal: cancelled(signal, 'not-sent') }
  if (deadlineAt === undefined) return { timeoutMs: queryTimeoutMs, signal }
  const leftMs = deadlineAt - Date.now()
  if (leftMs <= 0) {
    const refusal = new DatabaseError('DB_TIMEOUT', 'The deadline had passed before the statement was sent', {
      outcome: 'not-sent',
    })
    return { timeoutMs: 0, signal, refusal }
  }
  return { timeoutMs: queryTimeoutMs > 0 ? Math.min(queryTimeoutMs, leftMs) : leftMs, signal }
}

/** The error of work that a signal ended. */
export function cancelled(signal: AbortSignal, outcome: 'not-sent' | 'rolled-back'): DatabaseError {
  return new DatabaseError('DB_CANCELLED', 'The work was cancelled by its signal', {
    cause: signal.reason,
    outcome,
  })
}

/** Cancels on the server what takes too long or is no longer wanted; COMMIT is never cancelled. */
function limit<T>(client: DatabaseClient, running: Promise<T>, { timeoutMs, signal }: Limits): Promise<T> {
  if (timeoutMs === 0 && !signal) return running
  let cancelling: Promise<void> | undefined
  let silence: NodeJS.Timeout | undefined
  const cancel = (): void => {
    cancelling ??= requestCancel(client)
    silence ??= setTimeout(() => giveUp(client), graceMs)
  }
  const timer = timeoutMs > 0 ? setTimeout(cancel, timeoutMs) : undefined
  signal?.addEventListener('abort', cancel, { once: true })
  const end = (): void => {
    clearTimeout(timer)
    clearTimeout(silence)
    signal?.removeEventListener('abort', cancel)
  }
  return running.then(
    (result) => {
      end()
      return cancelling ? cancelling.then(() => result) : result
    },
    async (error: unknown) => {
      end()
      if (!cancelling) throw error
      await cancelling
      const answered = (error as { code?: unknown }).code === '57014'
      if (signal?.aborted && answered) throw cancelled(signal, 'rolled-back')
      throw answered ? error : new Error('Query read timeout', { cause: error })
    },
  )
}

/** The server does not even answer the cancel request: without the connection the caller is free. */
function giveUp(client: DatabaseClient): void {
  const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
  stream.destroy()
}
