import { DbError } from '@org/db-core'
import { storableText } from './storable-text.ts'

const failureBrand: unique symbol = Symbol.for('@org/db-saga/SagaFailure')

/** Every code that sagas' own errors carry; the database's are core's. */
export type SagaErrorCode =
  /** An option or a definition is wrong; the message names it. */
  | 'DB_SAGA_OPTIONS'
  /** The sagas were used before they were handed to `createDatabase({ use: [sagas] })`. */
  | 'DB_SAGA_NOT_ATTACHED'
  /** The sagas' tables are not there, or older than this package: run `installSchema(db.sql, [sagaSchema])`. */
  | 'DB_SAGA_SCHEMA'
  /** No definition of that name and version was given. */
  | 'DB_SAGA_UNKNOWN'
  /** There is no saga, or no step, of that id or name. */
  | 'DB_SAGA_NOT_FOUND'
  /** The saga's state does not allow what was asked; the message names both. */
  | 'DB_SAGA_STATE'
  /** An input, output or payload is no JSON value, or too large. */
  | 'DB_SAGA_VALUE'
  /** A step was called inside a transaction, whose rollback it could not follow. */
  | 'DB_SAGA_TRANSACTION'
  /** A step ended without its work having been done: it said so itself, or refused for good. */
  | 'DB_SAGA_STEP_FAILED'
  /** A step was given up, and nobody knows whether its work was done. */
  | 'DB_SAGA_STEP_UNKNOWN'
  /** A step did not end within its `timeoutMs`. */
  | 'DB_SAGA_STEP_TIMEOUT'
  /** The saga was cancelled. */
  | 'DB_SAGA_CANCELLED'
  /** The saga's deadline is over. */
  | 'DB_SAGA_DEADLINE'
  /** The saga has ended without its work being done: compensated, cancelled, or waiting for an operator. */
  | 'DB_SAGA_NOT_COMPLETED'
  /** The code does not do what the journal says that it did: steps were renamed, or depend on chance. */
  | 'DB_SAGA_CHANGED'
  /** A compensation has failed for good; an operator must decide. */
  | 'DB_SAGA_COMPENSATION'
  /** Another process has taken the saga over, so that what this one did is void. */
  | 'DB_SAGA_LEASE_LOST'
  /** The worker is closed. */
  | 'DB_SAGA_CLOSED'

/** A failure of a saga, or of its use. */
export class SagaError extends DbError<SagaErrorCode> {
  /** Which saga. */
  readonly saga?: string
  /** Which of its steps. */
  readonly step?: string

  constructor(
    code: SagaErrorCode,
    message: string,
    options: ConstructorParameters<typeof DbError>[2] & {
      readonly saga?: string
      readonly step?: string
    } = {},
  ) {
    super(code, message, options)
    if (options.saga !== undefined) this.saga = options.saga
    if (options.step !== undefined) this.step = options.step
  }
}

/**
 * Thrown by a step to say that its work was not done and never will be: no repetition, and nothing of it to undo.
 * The saga compensates what came before, unless its code catches the error.
 */
export class SagaFailure extends Error {
  /** For programs: `card-declined`. */
  readonly reason: string

  constructor(reason: string, message: string = reason, options?: ErrorOptions) {
    super(message, options)
    this.name = 'SagaFailure'
    this.reason = reason
    Object.defineProperty(this, failureBrand, { value: true })
  }
}

/** Whether a step has said that it failed, also with the class of another copy of this package. */
export function isSagaFailure(error: unknown): error is SagaFailure {
  return typeof error === 'object' && error !== null && failureBrand in error
}

/** What of an error is kept in the journal. */
export interface StoredError {
  readonly name: string
  readonly message: string
  readonly code?: string
}

const longestMessage = 500
const longestCode = 200

/** The name, the message and the code of anything that was thrown, as the journal can hold them. */
export function toStored(error: unknown): StoredError {
  if (!(error instanceof Error))
    return { name: 'Error', message: storableText(textOf(error), longestMessage) }
  const given = error as { readonly reason?: unknown; readonly code?: unknown }
  const code = isSagaFailure(error) ? given.reason : given.code
  return {
    name: storableText(String(error.name), longestCode),
    message: storableText(String(error.message), longestMessage),
    ...(typeof code === 'string' && { code: storableText(code, longestCode) }),
  }
}

function textOf(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    // An object that has no text, or throws when it is asked for one.
    return 'Something was thrown that is no Error'
  }
}
