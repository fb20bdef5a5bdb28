const brand: unique symbol = Symbol.for('@org/db-core/DbError')

/** What an error of this family is born with. */
export interface DbErrorOptions {
  readonly cause?: unknown
  /** Whether trying the same again can succeed and can do no harm. Default `false`. */
  readonly retryable?: boolean
}

/**
 * Base of every error that an `@org/db-*` package throws. Match on `code`, never on `message`.
 * Messages name models, fields and constraints, never values. `cause` keeps the original error, which may
 * hold values: log `error.toJSON()`, not the error with its cause.
 */
export class DbError<Code extends string = string> extends Error {
  readonly code: Code
  readonly retryable: boolean

  constructor(code: Code, message: string, options: DbErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = new.target.name
    this.code = code
    this.retryable = options.retryable ?? false
    Object.defineProperty(this, brand, { value: true })
  }

  /** The error without its cause, safe for a log: it holds names, no values. */
  toJSON(): Record<string, unknown> {
    return { ...(this as object), message: this.message }
  }
}

/**
 * Whether `error` comes from an `@org/db-*` package, and has the code if one is given.
 * It recognises errors of another copy of the package, which `instanceof` does not.
 */
export function isDbError<Code extends string = string>(error: unknown, code?: Code): error is DbError<Code> {
  return (
    typeof error === 'object' &&
    error !== null &&
    brand in error &&
    (code === undefined || ('code' in error && error.code === code))
  )
}
