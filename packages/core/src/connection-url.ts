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
  /** All servers that the URL names, the first one included; absent where it names one. */
  readonly hosts?: readonly HostAddress[]
  readonly targetSession?: TargetSession
  /** What the URL asks for and does not get, a sentence each. */
  readonly warnings: readonly string[]
}

/** libpq's modes that are supported: https://www.postgresql.org/docs/current/libpq-ssl.html */
export type SslMode = 'disable' | 'require' | 'verify-ca' | 'verify-full'

/** One of several servers in a URL. */
export interface HostAddress {
  readonly host: string
  readonly port: number
}

/** Which of several servers will do, as libpq's `target_session_attrs`. */
export type TargetSession = 'any' | 'read-write' | 'read-only' | 'primary' | 'standby' | 'prefer-standby'

interface Draft {
  targetSession?: TargetSession
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
  const { first, hosts } = splitHosts(text)
  const url = new URL(first)
  const draft: Draft = { pool: {}, warnings: [] }
  for (const [name, value] of [...url.searchParams]) {
    const apply = parameters[name]
    url.searchParams.delete(name)
    if (apply) apply(draft, value, name)
    else draft.warnings.push(`The URL parameter ${name} is not supported and has no effect`)
  }
  return { ...draft, url: url.toString(), ...(hosts.length > 1 && { hosts }) }
}

/** Whether it is a URL of PostgreSQL, with one server or, as libpq allows, several: `//h1:5432,h2:5432/database`. */
export function isDatabaseUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !/^postgres(ql)?:\/\//.test(value)) return false
  const parts = authority.exec(value)
  const hosts = parts?.[2]?.split(',') ?? ['']
  return hosts.every((host) => URL.canParse(`${parts?.[1]}${host}${parts?.[3]}`))
}

/** Scheme and user, servers, the rest. */
const authority = /^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)([^/?#]*)(.*)$/s

function splitHosts(text: string): { readonly first: string; readonly hosts: readonly HostAddress[] } {
  const parts = authority.exec(text)
  const names = parts?.[2]?.split(',') ?? []
  const urls = names.map((name) => `${parts?.[1]}${name}${parts?.[3]}`)
  const hosts = urls.map((each) => {
    const { hostname, port } = new URL(each)
    return { host: hostname, port: Number(port || 5432) }
  })
  return { first: urls[0] ?? text, hosts }
}

const targetSessions: readonly string[] = [
  'any',
  'read-write',
  'read-only',
  'primary',
  'standby',
  'prefer-standby',
] satisfies readonly TargetSession[]

function isTargetSession(value: string): value is TargetSession {
  return targetSessions.includes(value)
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
  target_session_attrs: (draft, value) => {
    if (isTargetSession(value)) draft.targetSession = value
    else draft.warnings.push('The URL parameter target_session_attrs has an unknown value and no effect')
  },
  statement_cache_size: useless('statements are unnamed'),
  sslcert: useless('give ssl.ca, ssl.cert and ssl.key in the configuration'),
  sslidentity: useless('give ssl.cert and ssl.key in the configuration'),
  sslpassword: useless('give ssl.cert and ssl.key in the configuration'),
  sslrootcert: useless('give ssl.ca in the configuration'),
  sslkey: useless('give ssl.key in the configuration'),
}
