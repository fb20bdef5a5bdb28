/** What any of the foreign errors says, in one shape. `text` may hold values and stays in here. */
export interface ErrorShape {
  /** `plain` is an error that tells by its text alone, if at all, that it has to do with a database. */
  readonly source: 'server' | 'socket' | 'driver' | 'prisma' | 'plain'
  /** SQLSTATE, from the server. */
  readonly sqlState?: string
  /** `FATAL` and `PANIC` end the connection. */
  readonly severity?: string
  /** Prisma's P-code. */
  readonly prismaCode?: string
  /** Node's or OpenSSL's error code. */
  readonly systemCode?: string
  /** Prisma's name of a driver error, where neither SQLSTATE nor system code is kept. */
  readonly kind?: string
  readonly text: string
  readonly constraint?: string
  readonly columns?: readonly string[]
  readonly table?: string
}

type Loose = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Loose => typeof value === 'object' && value !== null
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)

/**
 * Reads the shapes in which a failure arrives: Prisma's errors, the driver adapter's, node-postgres' and
 * Node's own. Names decide, not `instanceof`: each generated client brings its own classes.
 */
export function readErrorShape(error: unknown): ErrorShape | undefined {
  if (!isObject(error)) return undefined
  const name = text(error.name) ?? ''
  if (name === 'DriverAdapterError') return readDriverError(error.cause, 'driver', text(error.message) ?? '')
  if (name.startsWith('PrismaClient')) return readPrismaError(error, name)
  if (typeof error.severity === 'string' && typeof error.code === 'string') return readServerError(error)
  if (typeof error.code === 'string' && (typeof error.syscall === 'string' || isTlsCode(error.code))) {
    return { source: 'socket', systemCode: error.code, text: text(error.message) ?? '' }
  }
  // Node tries all addresses of a host name and reports the failures together.
  const first = name === 'AggregateError' && Array.isArray(error.errors) ? error.errors[0] : undefined
  if (first !== undefined) return readErrorShape(first)
  return error instanceof Error || name !== ''
    ? { source: 'plain', text: text(error.message) ?? '' }
    : undefined
}

function readPrismaError(error: Loose, name: string): ErrorShape {
  const prismaCode =
    text(error.code) ?? text(error.errorCode) ?? (name.endsWith('ValidationError') ? 'validation' : 'unknown')
  const meta = isObject(error.meta) ? error.meta : {}
  const driver = isObject(meta.driverAdapterError) ? meta.driverAdapterError.cause : undefined
  const own = { source: 'prisma', prismaCode, text: text(error.message) ?? '' } as const
  return driver === undefined ? own : { ...own, ...readDriverError(driver, 'prisma', own.text) }
}

/** The adapter's `cause`: `{ kind, originalCode, originalMessage, … }`. */
function readDriverError(cause: unknown, source: ErrorShape['source'], fallback: string): ErrorShape {
  if (!isObject(cause)) return { source, text: fallback }
  const constraint = isObject(cause.constraint) ? cause.constraint : {}
  const sqlState = text(cause.originalCode) ?? (cause.kind === 'postgres' ? text(cause.code) : undefined)
  const message = text(cause.originalMessage) ?? text(cause.message) ?? fallback
  return defined({
    source: sqlState === undefined ? source : 'server',
    sqlState,
    severity: text(cause.severity),
    kind: text(cause.kind),
    text: message,
    constraint: text(constraint.index) ?? quotedAfter(message, 'constraint'),
    columns: Array.isArray(constraint.fields)
      ? constraint.fields.map(String)
      : only(text(cause.column) ?? quotedAfter(message, 'column')),
    table: text(cause.table) ?? quotedAfter(message, 'relation'),
  })
}

function readServerError(error: Loose): ErrorShape {
  const message = text(error.message) ?? ''
  return defined({
    source: 'server',
    sqlState: text(error.code),
    severity: text(error.severity),
    text: message,
    constraint: text(error.constraint),
    columns: only(text(error.column)),
    table: text(error.table),
  })
}

/** PostgreSQL quotes identifiers in its messages: `violates check constraint "film_stock_not_negative"`. */
function quotedAfter(message: string, word: string): string | undefined {
  return new RegExp(`\\b${word} "((?:[^"]|"")+)"`).exec(message)?.[1]
}

function only(column: string | undefined): readonly string[] | undefined {
  return column === undefined ? undefined : [column]
}

function defined(shape: { [Key in keyof ErrorShape]: ErrorShape[Key] | undefined }): ErrorShape {
  return Object.fromEntries(Object.entries(shape).filter(([, value]) => value !== undefined)) as never
}

/** OpenSSL's and Node's codes for a refused certificate or handshake. */
export function isTlsCode(code: string): boolean {
  return /^(ERR_SSL|ERR_TLS|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|CRL_|INVALID_CA)/.test(
    code,
  )
}
