import pg from 'pg'
import { currentContext, type DbContext } from '../context.ts'
import { DatabaseError, type Outcome } from '../database-error.ts'
import { requestCancel } from './cancel-request.ts'
import { AnswerReader, type ReadConnection } from './fast/answer-reader.ts'
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
  /** Whether the connection is gone. */
  readonly isBroken: boolean
  /** As the server said at the end of the last statement: idle, in a transaction, in a failed one. */
  readonly transactionStatus: TransactionStatus
  /** Runs a statement of ours on behalf of `context`, within the same limits as every other. */
  run(statement: OwnStatement, context: DbContext): Promise<void>
}

/** https://www.postgresql.org/docs/current/protocol-message-formats.html, ReadyForQuery */
export type TransactionStatus = 'I' | 'T' | 'E'

/** What ends a transaction or a savepoint. */
const endsTransaction = /^(?:COMMIT|ROLLBACK|RELEASE)\b/

const controls =
  /^\s*(?:BEGIN|START\s+TRANSACTION|COMMIT|END|ABORT|PREPARE\s+TRANSACTION|ROLLBACK(?!\s+(?:WORK\s+|TRANSACTION\s+)?TO\b))\b/i

/** The refusal of SQL that would begin or end a transaction inside of one of ours; nothing for other SQL. */
export function transactionControl(sql: string): DatabaseError | undefined {
  if (!controls.test(sql)) return undefined
  const what = "SQL inside a transaction can't begin or end one: nest db.transaction, or throw to roll back"
  return new DatabaseError('DB_TRANSACTION_MISUSE', what, { outcome: 'not-sent' })
}

/** What node-postgres calls a submittable, and when it is done. */
export interface OwnStatement {
  readonly done: Promise<void>
  submit(connection: never): null
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
    transactionStatus: TransactionStatus = 'I'
    isBroken = false
    /** Between our BEGIN and its end. */
    #isWithin = false

    constructor(config?: string | pg.ClientConfig) {
      super(config)
      const { connection } = this as unknown as {
        connection: Pick<NodeJS.EventEmitter, 'on'> & ReadConnection
      }
      AnswerReader.attach(connection)
      connection.on('readyForQuery', ({ status }: { status: TransactionStatus }) => {
        this.transactionStatus = status
      })
      const breaks = (): void => {
        this.isBroken = true
      }
      this.on('error', breaks)
      this.on('end', breaks)
    }

    // node-postgres overloads `query` nine times; only promises are watched, callbacks and streams pass through.
    override query(...args: never[]): never {
      const [first] = args as readonly unknown[]
      const text = typeof first === 'string' ? first : (first as { text?: unknown } | null)?.text
      const isOwn = typeof (first as { submit?: unknown } | null)?.submit === 'function'
      if (isOwn || typeof args.at(-1) === 'function' || typeof text !== 'string')
        return super.query(...(args as unknown as [string])) as never
      if (endsTransaction.test(text)) return this.#end(text, args) as never
      const limits = limitsOf(queryTimeoutMs, currentContext())
      if (limits.refusal) return Promise.reject(limits.refusal) as never
      if (text === 'BEGIN' && this.beginWith) return limit(this, this.#begin(this.beginWith), limits) as never
      if (!this.#isWithin) return limit(this, this.#send(args), limits) as never
      if (this.transactionStatus === 'I') return Promise.reject(endedInside()) as never
      return limit(this, this.#send(args), limits).then((result) => {
        if (this.transactionStatus === 'I') throw endedInside()
        return result
      }) as never
    }

    /** The end of a transaction is neither refused nor cancelled: without it the connection could not be given back. */
    #end(text: string, args: readonly unknown[]): Promise<pg.QueryResult> {
      const isWhole = text === 'COMMIT' || text === 'ROLLBACK'
      if (text === 'COMMIT' && this.#isWithin && this.transactionStatus === 'I') {
        this.#isWithin = false
        return Promise.reject(endedInside())
      }
      const running = this.#send(args)
      if (isWhole) this.#isWithin = false
      return text === 'COMMIT'
        ? running.then(assertCommitted)
        : limit(this, running, { timeoutMs: queryTimeoutMs, signal: undefined })
    }

    run(statement: OwnStatement, context: DbContext): Promise<void> {
      const limits = limitsOf(queryTimeoutMs, context)
      if (limits.refusal) return Promise.reject(limits.refusal)
      super.query(statement as never)
      return limit(this, statement.done, limits)
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
      this.#isWithin = true
      onRows?.(others.map(({ rows }) => rows))
      return begin as pg.QueryResult
    }
  }
}

/** SQL inside the transaction has ended it: what came before is stored or gone, and nobody here knows which. */
function endedInside(): Error {
  const error = new Error('the transaction was ended by SQL inside it')
  return Object.assign(error, { code: '25P01', severity: 'ERROR' })
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
function limitsOf(queryTimeoutMs: number, { deadlineAt, signal }: DbContext): Limits {
  if (signal?.aborted) return { timeoutMs: 0, signal, refusal: cancelled(signal, 'not-sent') }
  if (deadlineAt === undefined) return { timeoutMs: queryTimeoutMs, signal }
  const leftMs = deadlineAt - Date.now()
  if (leftMs <= 0) {
    return { timeoutMs: 0, signal, refusal: deadlinePassed('not-sent') }
  }
  return { timeoutMs: queryTimeoutMs > 0 ? Math.min(queryTimeoutMs, leftMs) : leftMs, signal }
}

/** The error of work for which it was too late. */
export function deadlinePassed(outcome: Outcome): DatabaseError {
  const what =
    outcome === 'not-sent' ? 'The deadline passed before the statement was sent' : 'The deadline passed'
  return new DatabaseError('DB_TIMEOUT', what, { outcome })
}

/** The error of work that a signal ended. */
export function cancelled(signal: AbortSignal, outcome: Outcome): DatabaseError {
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
