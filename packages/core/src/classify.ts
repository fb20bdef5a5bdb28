import { ConfigError } from './config-error.ts'
import { constraintFields, fieldsOfColumns } from './constraint-fields.ts'
import {
  ConstraintError,
  type ConstraintErrorCode,
  DatabaseError,
  type DatabaseErrorCode,
  type DatabaseErrorOptions,
  type Outcome,
} from './database-error.ts'
import { type ErrorShape, isTlsCode, readErrorShape } from './error-shape.ts'
import { type DbError, isDbError } from './errors.ts'
import type { SchemaMetadata } from './metadata.ts'
import type { Operation } from './operation.ts'
import { meaningOf, type SqlStateMeaning } from './sql-state.ts'
import { TenantError, type TenantErrorCode } from './tenancy/tenant-error.ts'

/** What is known about the work that failed; the more, the more exact the error. */
export interface ClassifyHints {
  /** Turns a constraint's name into the model's fields. */
  readonly metadata?: SchemaMetadata | undefined
  readonly model?: string | undefined
  readonly action?: string | undefined
  /** A read that broke off can be repeated; anything else may have been carried out. */
  readonly kind?: Operation['kind'] | undefined
  /** Inside a transaction a failure before COMMIT means that nothing was carried out. */
  readonly inTransaction?: boolean | undefined
  /** The failure is the answer, or the missing answer, to COMMIT. */
  readonly atCommit?: boolean | undefined
  /** `host:port/database`, named in errors about the connection. */
  readonly server?: string | undefined
}

/**
 * Turns any failure of Prisma, its driver adapter, node-postgres or the network into a `DatabaseError`.
 * A `DbError` comes back as it is; `undefined` means that the error is none of the database's, such as one
 * thrown by the caller's own code.
 */
export function classify(error: unknown, hints: ClassifyHints = {}): DbError | undefined {
  if (isDbError(error)) return error
  const shape = readErrorShape(error)
  const own = shape && (ownError(shape, error, hints) ?? wrongPoolMode(shape, error))
  if (own) return own
  const found = shape && (understandText(shape) ?? understand(shape) ?? unknownOf(shape))
  if (!shape || !found) return undefined
  const ambiguous = hints.atCommit && isAmbiguous(shape, found)
  const outcome = ambiguous ? 'unknown' : outcomeOf(found, hints)
  const code = ambiguous ? 'DB_AMBIGUOUS_COMMIT' : found.code
  const options = {
    cause: error,
    outcome,
    retryable: found.retryable === true && outcome !== 'unknown',
    sqlState: shape.sqlState,
    model: hints.model,
    action: hints.action,
  }
  return isViolation(code)
    ? violation(code, shape, hints, options)
    : new DatabaseError(code, message(code, shape, hints) + (found.detail ?? ''), options)
}

/** An error that was born below Prisma comes back with its code and text, in an error of Prisma's. */
function ownError(
  { prismaCode, text }: ErrorShape,
  cause: unknown,
  hints: ClassifyHints,
): DbError | undefined {
  if (!prismaCode?.startsWith('DB_')) return undefined
  const ownText = text.trim().split('\n').at(-1) ?? text
  if (prismaCode.startsWith('DB_TENANT_')) {
    const { model, action } = hints
    return new TenantError(prismaCode as TenantErrorCode, ownText, { cause, model, action })
  }
  return new DatabaseError(prismaCode as DatabaseErrorCode, ownText, {
    cause,
    outcome: 'rolled-back',
    model: hints.model,
    action: hints.action,
  })
}

/** PgBouncer can't pass on what a direct connection says at its start, whatever asks for that connection. */
function wrongPoolMode({ sqlState, text }: ErrorShape, cause: unknown): ConfigError | undefined {
  if (sqlState !== '08P01' || !/unsupported startup parameter/.test(text)) return undefined
  const problem =
    'does not fit: a pooler answers, which refuses the startup parameters of direct; declare transaction or session'
  return new ConfigError([{ field: 'pool.mode', problem }], { cause })
}

interface Finding extends SqlStateMeaning {
  /** The connection was gone in the middle of something. */
  readonly inFlight?: true
  /** What the general message can't say. */
  readonly detail?: string
}

function understand(shape: ErrorShape): Finding | undefined {
  if (shape.sqlState !== undefined && shape.sqlState !== 'N/A') {
    if (shape.sqlState === '08P01') return understandPooler(shape.text)
    const meaning = meaningOf(shape.sqlState)
    if (meaning.unknown) return { ...meaning, detail: ': SQL inside the transaction has ended it' }
    // FATAL ends the connection, and the answer to what had just been carried out may be lost with it.
    const ends = (meaning.code === 'DB_SHUTDOWN' || meaning.code === 'DB_CONNECTION_LOST') && !meaning.notSent
    return ends ? { ...meaning, inFlight: true } : meaning
  }
  if (shape.systemCode !== undefined) return understandSystemCode(shape.systemCode)
  if (shape.kind !== undefined && kinds[shape.kind]) return kinds[shape.kind]
  return shape.prismaCode === undefined ? undefined : prismaCodes[shape.prismaCode]
}

const unreachable: Finding = { code: 'DB_UNREACHABLE', retryable: true, notSent: true }
const lost: Finding = { code: 'DB_CONNECTION_LOST', retryable: true, inFlight: true }
const invalid: Finding = { code: 'DB_VALIDATION', notSent: true }

function understandSystemCode(code: string): Finding | undefined {
  if (isTlsCode(code)) return { code: 'DB_TLS', notSent: true }
  if (code === 'ECONNRESET' || code === 'EPIPE') return lost
  return /^(ECONNREFUSED|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOENT|EACCES)/.test(code)
    ? unreachable
    : undefined
}

/** PgBouncer reports all its own errors with the one SQLSTATE 08P01. */
function understandPooler(text: string): Finding {
  if (/query_wait_timeout/.test(text)) return { code: 'DB_POOL_EXHAUSTED', retryable: true, notSent: true }
  if (/no more connections allowed|max_client_conn/.test(text)) {
    return { code: 'DB_TOO_MANY_CONNECTIONS', retryable: true, notSent: true }
  }
  if (/no such database/.test(text)) return { code: 'DB_DATABASE_MISSING', notSent: true }
  if (/auth|password|no such user/i.test(text)) return { code: 'DB_AUTHENTICATION', notSent: true }
  if (/shutting down|cannot connect|login has been failing|paused|disabled/.test(text)) return unreachable
  return lost
}

/** Kinds of the driver adapter that keep neither SQLSTATE nor system code. */
const kinds: Readonly<Record<string, Finding>> = {
  DatabaseNotReachable: unreachable,
  SocketTimeout: unreachable,
  ConnectionClosed: lost,
  TlsConnectionError: { code: 'DB_TLS', notSent: true },
  TransactionWriteConflict: { code: 'DB_SERIALIZATION', retryable: true },
  TooManyConnections: { code: 'DB_TOO_MANY_CONNECTIONS', retryable: true, notSent: true },
}

/** https://www.prisma.io/docs/orm/reference/error-reference; codes that carry a SQLSTATE are read by that. */
const prismaCodes: Readonly<Record<string, Finding>> = {
  validation: invalid,
  P1000: { code: 'DB_AUTHENTICATION', notSent: true },
  P1001: unreachable,
  P1002: unreachable,
  P1003: { code: 'DB_DATABASE_MISSING', notSent: true },
  P1008: { code: 'DB_TIMEOUT', inFlight: true },
  P1010: { code: 'DB_AUTHENTICATION', notSent: true },
  P1011: { code: 'DB_TLS', notSent: true },
  P1017: lost,
  P2000: { code: 'DB_VALIDATION' },
  P2001: { code: 'DB_NOT_FOUND' },
  P2002: { code: 'DB_UNIQUE_VIOLATION' },
  P2003: { code: 'DB_FOREIGN_KEY_VIOLATION' },
  P2004: { code: 'DB_CHECK_VIOLATION' },
  P2011: { code: 'DB_NOT_NULL_VIOLATION' },
  P2012: invalid,
  P2013: invalid,
  P2014: { code: 'DB_FOREIGN_KEY_VIOLATION' },
  P2015: { code: 'DB_NOT_FOUND' },
  P2017: { code: 'DB_NOT_FOUND' },
  P2018: { code: 'DB_NOT_FOUND' },
  P2019: invalid,
  P2020: { code: 'DB_VALIDATION' },
  P2024: { code: 'DB_POOL_EXHAUSTED', retryable: true, notSent: true },
  P2025: { code: 'DB_NOT_FOUND' },
  P2028: { code: 'DB_TRANSACTION_CLOSED' },
  P2034: { code: 'DB_SERIALIZATION', retryable: true },
}

/** Failures that arrive as a plain `Error` and differ by their text alone; the texts are node-postgres'. */
const texts: readonly (readonly [pattern: RegExp, finding: Finding])[] = [
  [/^timeout exceeded when trying to connect/, { code: 'DB_POOL_EXHAUSTED', retryable: true, notSent: true }],
  [
    /Unable to start a transaction in the given time/,
    { code: 'DB_POOL_EXHAUSTED', retryable: true, notSent: true },
  ],
  [/^Connection terminated due to connection timeout/, unreachable],
  [/^timeout expired/, unreachable],
  [/^Connection terminated/, lost],
  [/^Query read timeout/, { code: 'DB_TIMEOUT', inFlight: true }],
  [
    /^Client has encountered a connection error/,
    { code: 'DB_CONNECTION_LOST', retryable: true, notSent: true },
  ],
  [/^Client was closed and is not queryable/, { code: 'DB_CONNECTION_LOST', retryable: true, notSent: true }],
  [/^Cannot use a pool after calling end/, { code: 'DB_CLOSED', notSent: true }],
  [/^The server does not support SSL connections/, { code: 'DB_TLS', notSent: true }],
  [/^There was an error establishing an SSL connection/, { code: 'DB_TLS', notSent: true }],
  [/^SASL: /, { code: 'DB_AUTHENTICATION', notSent: true }],
  [/Concurrent nested transactions are not supported/, { code: 'DB_TRANSACTION_MISUSE' }],
]

function understandText(shape: ErrorShape): Finding | undefined {
  return texts.find(([pattern]) => pattern.test(shape.text))?.[1]
}

/** Prisma and its adapter speak of nothing but the database, also in codes that are not in the tables. */
function unknownOf(shape: ErrorShape): Finding | undefined {
  return shape.source === 'plain' ? undefined : { code: 'DB_QUERY' }
}

function isAmbiguous(shape: ErrorShape, found: Finding): boolean {
  return found.inFlight === true || shape.severity === 'FATAL' || shape.severity === 'PANIC'
}

function outcomeOf(found: Finding, hints: ClassifyHints): Outcome {
  if (found.unknown) return 'unknown'
  if (hints.inTransaction || hints.atCommit) return 'rolled-back'
  if (found.notSent) return 'not-sent'
  if (!found.inFlight) return 'rolled-back'
  return hints.kind === 'read' ? 'rolled-back' : 'unknown'
}

function isViolation(code: DatabaseErrorCode): code is ConstraintErrorCode {
  return code.endsWith('_VIOLATION')
}

const violated: Readonly<Record<ConstraintErrorCode, string>> = {
  DB_UNIQUE_VIOLATION: 'unique constraint',
  DB_FOREIGN_KEY_VIOLATION: 'foreign key',
  DB_NOT_NULL_VIOLATION: 'not-null constraint',
  DB_CHECK_VIOLATION: 'check constraint',
  DB_EXCLUSION_VIOLATION: 'exclusion constraint',
}

function violation(
  code: ConstraintErrorCode,
  shape: ErrorShape,
  hints: ClassifyHints,
  options: DatabaseErrorOptions,
): ConstraintError {
  const known =
    shape.constraint === undefined ? undefined : constraintFields(shape.constraint, hints.metadata)
  const fields =
    known?.fields ?? fieldsOfColumns(shape.columns, known?.model ?? hints.model, shape.table, hints.metadata)
  const name = shape.constraint === undefined ? '' : ` ${shape.constraint}`
  const on = fields === undefined ? '' : ` on ${fields.join(', ')}`
  return new ConstraintError(code, `${subject(hints)} broke the ${violated[code]}${name}${on}`, {
    ...options,
    model: hints.model ?? known?.model,
    constraint: shape.constraint,
    fields,
    table: shape.table,
  })
}

function subject({ model, action }: ClassifyHints): string {
  if (model !== undefined) return action === undefined ? model : `${model}.${action}`
  return action ?? 'The statement'
}

const messages: Readonly<Record<Exclude<DatabaseErrorCode, ConstraintErrorCode>, string>> = {
  DB_UNREACHABLE: 'could not reach the database server',
  DB_AUTHENTICATION: 'was refused: the server does not accept this user and password',
  DB_DATABASE_MISSING: 'was refused: the server has no such database',
  DB_TLS: 'could not agree on TLS with the server',
  DB_CONNECTION_LOST: 'lost its connection to the database',
  DB_TOO_MANY_CONNECTIONS: 'was refused: the server or pooler takes no more connections',
  DB_POOL_EXHAUSTED: 'waited too long for a free connection of the pool',
  DB_SHUTDOWN: 'was ended by the server: it shuts down, starts, or an administrator ended the connection',
  DB_TIMEOUT: 'ran into its time limit',
  DB_LOCK_TIMEOUT: 'waited too long for a lock',
  DB_CANCELLED: 'was cancelled',
  DB_CLOSED: 'came after the database was closed',
  DB_NOT_FOUND: 'found no such row',
  DB_DEADLOCK: 'was chosen as the victim of a deadlock',
  DB_SERIALIZATION: 'conflicted with a concurrent transaction',
  DB_TRANSACTION_ABORTED: 'came after a failed statement: PostgreSQL has rolled the transaction back',
  DB_TRANSACTION_CLOSED: 'came after its transaction had ended or run out of time',
  DB_TRANSACTION_MISUSE: 'used transactions in a way that is not supported',
  DB_AMBIGUOUS_COMMIT: 'lost its connection during COMMIT: whether the transaction was committed is unknown',
  DB_PERMISSION: 'was refused: the role lacks the privilege, or row-level security does',
  DB_SESSION_REQUIRED: 'needs a session of its own',
  DB_READ_ONLY: 'was refused: the server or the transaction is read-only',
  DB_OUT_OF_RESOURCES: 'failed: the server is out of disk, memory or another resource',
  DB_VALIDATION: 'was given arguments or data that do not fit the schema',
  DB_QUERY: 'was refused by the server',
}

function message(
  code: Exclude<DatabaseErrorCode, ConstraintErrorCode>,
  shape: ErrorShape,
  hints: ClassifyHints,
): string {
  const state =
    shape.sqlState === undefined || shape.sqlState === 'N/A' ? '' : ` (SQLSTATE ${shape.sqlState})`
  // Class 42 is about the statement itself: PostgreSQL's text names tables and columns there, never values.
  const detail = shape.sqlState?.startsWith('42') ? `: ${shape.text}` : wrongArgument(shape)
  const server = hints.server !== undefined && aboutConnection.has(code) ? ` at ${hints.server}` : ''
  return `${subject(hints)} ${messages[code]}${server}${state}${detail}`
}

const aboutConnection: ReadonlySet<DatabaseErrorCode> = new Set([
  'DB_UNREACHABLE',
  'DB_AUTHENTICATION',
  'DB_DATABASE_MISSING',
  'DB_TLS',
  'DB_TOO_MANY_CONNECTIONS',
  'DB_SHUTDOWN',
])

/** The name of the wrong argument in Prisma's text, which otherwise repeats all that it was given. */
function wrongArgument(shape: ErrorShape): string {
  if (shape.prismaCode !== 'validation') return ''
  const found =
    /Unknown (?:argument|field) `\w+`|Argument `\w+`(?: is missing| must not be null)?|Invalid value for argument `\w+`/.exec(
      shape.text,
    )?.[0]
  return found === undefined ? '' : `: ${found}`
}
