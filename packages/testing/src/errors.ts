// The brand of core's DbError: `isDbError` recognises these errors too, although this package does not import core.
const brand: unique symbol = Symbol.for('@org/db-core/DbError')

/** Why a test server could not do what was asked. */
export type TestingErrorCode =
  /** The server's program is not installed here; the message says what installs it. */
  | 'DB_TESTING_BINARY_MISSING'
  /** The server's program ended, or could not be run, before it took connections. */
  | 'DB_TESTING_START_FAILED'
  /** The server runs, but took no connections in time. */
  | 'DB_TESTING_START_TIMEOUT'
  /** The server was asked for something after it had been stopped. */
  | 'DB_TESTING_STOPPED'
  /** The machine does not let a server run safely: its folder, account or ports; the message says what to change. */
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
