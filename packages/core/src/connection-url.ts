/** What a connection URL says, in the terms of the configuration. */
export interface UrlSettings {
  /** The URL without the parameters that were taken out of it. */
  readonly url: string
  readonly schema?: string
  readonly sslMode?: SslMode
  readonly pool: {
    readonly mode?: 'transaction'
    readonly max?: number
    readonly connectTimeoutMs?: number
    readonly maxLifetimeMs?: number
    readonly idleTimeoutMs?: number
  }
  readonly applicationName?: string
  readonly queryTimeoutMs?: number
  /** What the URL asks for and does not get, a sentence each. */
  readonly warnings: readonly string[]
}

/** libpq's modes that are supported: https://www.postgresql.org/docs/current/libpq-ssl.html */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

interface Draft {
  schema?: string
  sslMode?: SslMode
  pool: {
    mode?: 'transaction'
    max?: number
    connectTimeoutMs?: number
    maxLifetimeMs?: number
    idleTimeoutMs?: number
  }
  applicationName?: string
  queryTimeoutMs?: number
  warnings: string[]
}

/**
 * Reads a `postgresql://` URL with the parameters that Prisma 6 understood. Prisma 7 passes URLs to
 * node-postgres, which ignores `connection_limit`, `pool_timeout`, `pgbouncer` and `schema` without a word:
 * here each works or is named in `warnings`.
 */
export function parseConnectionUrl(text: string): UrlSettings {
  const url = new URL(text)
  const draft: Draft = { pool: {}, warnings: [] }
  for (const [name, value] of [...url.searchParams]) {
    const apply = parameters[name]
    url.searchParams.delete(name)
    if (apply) apply(draft, value, name)
    else draft.warnings.push(`The URL parameter ${name} is not supported and has no effect`)
  }
  return { ...draft, url: url.toString() }
}

type Apply = (draft: Draft, value: string, name: string) => void

const number =
  (set: (draft: Draft, value: number) => void): Apply =>
  (draft, value, name) => {
    const parsed = Number(value)
    if (value !== '' && Number.isInteger(parsed) && parsed >= 0) set(draft, parsed)
    else draft.warnings.push(`The URL parameter ${name} is no whole number and has no effect`)
  }

const useless =
  (why: string): Apply =>
  (draft, _value, name) => {
    draft.warnings.push(`The URL parameter ${name} has no effect: ${why}`)
  }

const sslModes: Readonly<Record<string, SslMode>> = {
  disable: 'disable',
  require: 'require',
  'verify-ca': 'verify-ca',
  'verify-full': 'verify-full',
}

const parameters: Readonly<Record<string, Apply>> = {
  connection_limit: number((draft, value) => {
    draft.pool.max = value
  }),
  pool_timeout: number((draft, value) => {
    draft.pool.connectTimeoutMs = Math.max(draft.pool.connectTimeoutMs ?? 0, value * 1000)
  }),
  connect_timeout: number((draft, value) => {
    draft.pool.connectTimeoutMs = Math.max(draft.pool.connectTimeoutMs ?? 0, value * 1000)
  }),
  max_connection_lifetime: number((draft, value) => {
    draft.pool.maxLifetimeMs = value * 1000
  }),
  max_idle_connection_lifetime: number((draft, value) => {
    draft.pool.idleTimeoutMs = value * 1000
  }),
  statement_timeout: number((draft, value) => {
    draft.queryTimeoutMs = value
  }),
  socket_timeout: number((draft, value) => {
    draft.queryTimeoutMs = value * 1000
  }),
  pgbouncer: (draft, value) => {
    if (value === 'true') draft.pool.mode = 'transaction'
  },
  schema: (draft, value) => {
    draft.schema = value
  },
  application_name: (draft, value) => {
    draft.applicationName = value
  },
  sslmode: (draft, value) => {
    const mode = sslModes[value]
    if (mode) draft.sslMode = mode
    else {
      draft.sslMode = 'disable'
      draft.warnings.push(
        'The URL parameter sslmode asks for an optional TLS, which is not supported: TLS is off',
      )
    }
  },
  sslaccept: (draft, value) => {
    draft.sslMode ??= value === 'strict' ? 'verify-full' : 'require'
  },
  statement_cache_size: useless('statements are unnamed'),
  sslcert: useless('give ssl.ca, ssl.cert and ssl.key in the configuration'),
  sslidentity: useless('give ssl.cert and ssl.key in the configuration'),
  sslpassword: useless('give ssl.cert and ssl.key in the configuration'),
  sslrootcert: useless('give ssl.ca in the configuration'),
  sslkey: useless('give ssl.key in the configuration'),
}
