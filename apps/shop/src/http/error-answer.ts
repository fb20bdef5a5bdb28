import { isDbError } from '@org/db-core'
import { ShopError, type ShopErrorCode } from '../shop-error.ts'
import { type FieldProblem, InputError } from './parse-input.ts'

/** The body of every answer other than success. */
export interface ErrorBody {
  readonly error: {
    /** For programs. */
    readonly code: string
    /** For people; names fields and ids, never SQL, addresses or stacks. */
    readonly message: string
    readonly fields?: readonly FieldProblem[]
    readonly filmIds?: readonly number[]
    readonly orderId?: string
    /** The code of the database's refusal. */
    readonly reason?: string
  }
}

/** What to answer to a failure. */
export interface ErrorAnswer {
  readonly status: number
  readonly body: ErrorBody
  readonly retryAfterSeconds?: number
}

const shopStatus: Readonly<Record<ShopErrorCode, number>> = {
  FILM_NOT_FOUND: 404,
  ORDER_NOT_FOUND: 404,
  STOCK_TOO_LOW: 409,
  PAYMENT_DECLINED: 402,
  OUTCOME_UNKNOWN: 503,
}

/** Refusals that pass by themselves although the same statement must not simply be repeated. */
const passing: ReadonlySet<string> = new Set([
  'DB_TIMEOUT',
  'DB_CLOSED',
  'DB_OUT_OF_RESOURCES',
  'DB_READ_ONLY',
])

/** Turns any failure into an answer that gives nothing away. */
export function toErrorAnswer(error: unknown): ErrorAnswer {
  if (error instanceof InputError) {
    return answer(400, 'BAD_REQUEST', error.message, { fields: error.fields })
  }
  if (error instanceof ShopError)
    return answer(shopStatus[error.code], error.code, error.message, error.details)
  if (isDbError(error)) return databaseAnswer(error)
  return frameworkAnswer(error) ?? answer(500, 'INTERNAL', 'Something went wrong here')
}

function databaseAnswer(error: { readonly code: string; readonly retryable: boolean }): ErrorAnswer {
  // The constraint is the second line of defence; the first answers with the films that are short.
  if (
    error.code === 'DB_CHECK_VIOLATION' &&
    'constraint' in error &&
    error.constraint === 'film_stock_not_negative'
  ) {
    return answer(409, 'STOCK_TOO_LOW', 'Not enough copies left')
  }
  if (!error.retryable && !passing.has(error.code)) {
    return answer(500, 'INTERNAL', 'Something went wrong here')
  }
  const message = 'The database is not available right now; nothing was changed'
  return { ...answer(503, 'TRY_AGAIN', message, { reason: error.code }), retryAfterSeconds: 1 }
}

const frameworkMessages: Readonly<Record<number, readonly [code: string, message: string]>> = {
  400: ['BAD_REQUEST', 'The request is not valid'],
  404: ['ROUTE_NOT_FOUND', 'No such address'],
  413: ['BODY_TOO_LARGE', 'The body is too large'],
  415: ['NOT_JSON', 'The body must be JSON'],
}

/** Fastify's refusals of a body, by their codes. */
const bodyProblems: Readonly<Record<string, string>> = {
  FST_ERR_CTP_EMPTY_JSON_BODY: 'Is empty',
  FST_ERR_CTP_INVALID_JSON_BODY: 'Is not valid JSON',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'Is not as long as it was said to be',
}

/** Fastify's own refusals carry a status; their texts are not for strangers. */
function frameworkAnswer(error: unknown): ErrorAnswer | undefined {
  const status = error instanceof Error && 'statusCode' in error ? Number(error.statusCode) : 0
  if (status < 400 || status >= 500) return undefined
  const message = bodyProblems[String((error as { readonly code?: unknown }).code)]
  if (message !== undefined)
    return answer(400, 'BAD_REQUEST', 'The request is not valid', { fields: [{ field: 'body', message }] })
  const [code, text] = frameworkMessages[status] ?? ['BAD_REQUEST', 'The request is not valid']
  return answer(status, code, text)
}

function answer(
  status: number,
  code: string,
  message: string,
  details: Omit<ErrorBody['error'], 'code' | 'message'> = {},
): ErrorAnswer {
  return { status, body: { error: { code, message, ...details } } }
}
