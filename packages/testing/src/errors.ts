// The brand of core's DbError: `isDbError` recognises these errors too, although this package does not import core.
const brand: unique symbol = Symbol.for('@org/db-core/DbError')

/** Why a test server could not do what was asked. */
export type TestingErrorCode =
  | 'DB_TESTING_BINARY_MISSING'
  | 'DB_TESTING_START_FAILED'
  | 'DB_TESTING_START_TIMEOUT'
  | 'DB_TESTING_STOPPED'
  | 'DB_TESTING_ENVIRONMENT'

/** What this package throws. Match on `code`; `isDbError` of `@org/db-core` recognises it. */
export class TestingError extends Error {
  readonly code: TestingErrorCode
  /** Always `false`: a server that can't be started needs a person, not another try. */
  readonly retryable: boolean

  constructor(code: TestingErrorCode, message: string, options: { readonly cause?: unknown } = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = new.target.name
    this.code = code
    this.retryable = false
    Object.defineProperty(this, brand, { value: true })
  }

  toJSON(): Record<string, unknown> {
    return { name: this.name, message: this.message, code: this.code, retryable: this.retryable }
  }
}
