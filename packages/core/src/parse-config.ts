import { z } from 'zod'
import { type DatabaseConfig, type DatabaseConfigInput, type ReplicaConfig, variablesKey } from './config.ts'
import { ConfigError, type ConfigProblem } from './config-error.ts'
import { isDatabaseUrl, parseConnectionUrl, type UrlSettings } from './connection-url.ts'

const milliseconds = (fallback: number): z.ZodDefault<z.ZodNumber> =>
  z.number().int().min(0).max(2_147_483_647).default(fallback)
const databaseUrl = z
  .string()
  .refine(isDatabaseUrl, { error: 'must be a URL such as postgresql://user@host:5432/database' })

const singleUrl = databaseUrl.refine((url) => !isDatabaseUrl(url) || URL.canParse(url), {
  error: 'must name one server',
})

const poolSchema = z.strictObject({
  mode: z.enum(['detect', 'direct', 'transaction', 'session']).default('detect'),
  max: z.number().int().min(1).max(10_000).default(10),
  min: z.number().int().min(0).default(0),
  connectTimeoutMs: milliseconds(5_000).refine((ms) => ms > 0, {
    error: 'must be above 0: nothing waits for ever',
  }),
  idleTimeoutMs: milliseconds(30_000),
  maxLifetimeMs: milliseconds(30 * 60_000),
})

const sslSchema = z.strictObject({
  mode: z.enum(['disable', 'require', 'verify-ca', 'verify-full']).default('verify-full'),
  ca: z.string().optional(),
  cert: z.string().optional(),
  key: z.string().optional(),
})

const configSchema = z.strictObject({
  environment: z.enum(['development', 'testing', 'staging', 'production']).default('development'),
  url: databaseUrl.optional(),
  host: z.string().min(1).optional(),
  port: z.number().int().min(1).max(65_535).optional(),
  user: z.string().min(1).optional(),
  password: z.string().optional(),
  database: z.string().min(1).optional(),
  directUrl: singleUrl.optional(),
  shadowUrl: singleUrl.optional(),
  replicaUrls: z.array(singleUrl).default([]),
  replicas: z
    .strictObject({
      nodes: z
        .array(z.strictObject({ url: singleUrl, weight: z.number().positive().max(1_000).default(1) }))
        .default([]),
      maxLagMs: milliseconds(10_000),
      checkIntervalMs: milliseconds(1_000).refine((ms) => ms >= 10, { error: 'must be at least 10' }),
      mode: z.enum(['replica-by-default', 'primary-by-default']).default('replica-by-default'),
    })
    .prefault({}),
  schema: z.string().min(1).optional(),
  applicationName: z.string().min(1).max(63).optional(),
  ssl: sslSchema.optional(),
  pool: poolSchema.prefault({}),
  queryTimeoutMs: milliseconds(30_000),
  transactionTimeoutMs: milliseconds(30_000),
  drainTimeoutMs: milliseconds(10_000),
  slowQueryMs: milliseconds(1_000),
  logging: z
    .strictObject({ level: z.enum(['silent', 'error', 'warn', 'info', 'debug']).default('warn') })
    .prefault({}),
  encryption: z.strictObject({ key: z.string().min(32) }).optional(),
  backup: z
    .strictObject({ directory: z.string().min(1), retentionDays: z.number().int().min(1).default(30) })
    .optional(),
})

type Parsed = z.output<typeof configSchema>

/**
 * Checks a configuration and fills in the defaults. What the URL's parameters say yields to explicit fields.
 * @throws ConfigError naming every wrong field
 */
export function parseConfig(input: DatabaseConfigInput): DatabaseConfig {
  const { [variablesKey]: variables = {}, ...given } = input
  const url = isDatabaseUrl(given.url) ? parseConnectionUrl(given.url) : undefined
  const result = configSchema.safeParse(withUrl(dropUndefined(given), url))
  const problems: ConfigProblem[] = [
    ...(result.error?.issues ?? []).flatMap(toProblems),
    ...requirements(given, url),
  ].map((problem) => {
    const variable = variables[problem.field]
    return variable === undefined ? problem : { ...problem, variable }
  })
  if (!result.success || problems.length > 0) throw new ConfigError(problems)
  const { host, port, user, password, database, ...rest } = result.data
  const ssl = rest.ssl ?? { mode: 'disable' as const }
  const nodes = [...rest.replicaUrls.map((each) => ({ url: each, weight: 1 })), ...rest.replicas.nodes]
  return Object.freeze({
    ...rest,
    url: url?.url ?? assembleUrl({ host, port, user, password, database }),
    applicationName: rest.applicationName ?? 'org-db',
    ssl,
    replicas: { ...rest.replicas, nodes: nodes.map((node) => replicaConfig(node, { ssl, pool: rest.pool })) },
    ...(url?.hosts && { failover: { hosts: url.hosts, target: url.targetSession ?? 'read-write' } }),
    warnings: url?.warnings ?? [],
  })
}

/** A replica is reached as the primary is, unless its own URL says otherwise. */
function replicaConfig(
  { url: text, weight }: { readonly url: string; readonly weight: number },
  { ssl, pool }: Pick<DatabaseConfig, 'ssl' | 'pool'>,
): ReplicaConfig {
  const url = parseConnectionUrl(text)
  return {
    url: url.url,
    weight,
    ssl: url.sslMode === undefined ? ssl : { ...ssl, mode: url.sslMode },
    pool: { ...pool, ...url.pool },
  }
}

function withUrl(
  given: Omit<DatabaseConfigInput, typeof variablesKey>,
  url: UrlSettings | undefined,
): object {
  if (url === undefined) return given
  const { pool, sslMode, schema, applicationName, queryTimeoutMs } = url
  return {
    ...dropUndefined({ schema, applicationName, queryTimeoutMs, ssl: sslMode && { mode: sslMode } }),
    ...given,
    // A wrong `pool` is left as it is, so that it is reported.
    ...((given.pool === undefined || isPlainObject(given.pool)) && {
      pool: { ...pool, ...dropUndefined(given.pool ?? {}) },
    }),
  }
}

/** What one field's schema can't see: fields that need each other, and what an environment insists on. */
function requirements(
  given: Omit<DatabaseConfigInput, typeof variablesKey>,
  url: UrlSettings | undefined,
): ConfigProblem[] {
  const problems: ConfigProblem[] = []
  const miss = (field: string, problem: string): void => {
    problems.push({ field, problem })
  }
  if (given.url === undefined && (given.host === undefined || given.database === undefined)) {
    miss('url', 'is missing; give url, or host and database')
  }
  if (given.url !== undefined && given.host !== undefined)
    miss('host', 'contradicts url; give one of the two')
  const { environment } = given
  const sslMode = given.ssl === undefined ? url?.sslMode : (given.ssl.mode ?? 'verify-full')
  if ((environment === 'staging' || environment === 'production') && (sslMode ?? 'disable') === 'disable') {
    miss('ssl', `is required in ${environment}`)
  }
  if (environment === 'production' && given.encryption === undefined)
    miss('encryption', 'is required in production')
  if (environment === 'production' && given.backup === undefined) miss('backup', 'is required in production')
  const pool = isPlainObject(given.pool) ? given.pool : {}
  if (typeof pool.min === 'number' && typeof pool.max === 'number' && pool.min > pool.max) {
    miss('pool.min', 'is greater than pool.max')
  }
  return problems
}

function toProblems(issue: z.core.$ZodIssue): ConfigProblem[] {
  const path = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), problem: 'is not a known field' }))
  }
  const problem = issue.message.replace(/^Invalid (input|option): /, '')
  return [{ field: path.join('.') || 'config', problem }]
}

function assembleUrl(parts: Pick<Parsed, 'host' | 'port' | 'user' | 'password' | 'database'>): string {
  const url = new URL('postgresql://localhost')
  url.hostname = parts.host ?? 'localhost'
  url.port = String(parts.port ?? 5432)
  url.username = encodeURIComponent(parts.user ?? '')
  url.password = encodeURIComponent(parts.password ?? '')
  url.pathname = `/${encodeURIComponent(parts.database ?? '')}`
  return url.toString()
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function dropUndefined<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined)) as T
}
