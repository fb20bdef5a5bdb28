import { type DatabaseConfigInput, variablesKey } from './config.ts'

type Read = (text: string) => unknown

const asText: Read = (text) => text
/** A text that is no number stays a text, so that `parseConfig` names the field. */
const asNumber: Read = (text) => (/^-?\d+$/.test(text) ? Number(text) : text)
const asList: Read = (text) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)

/** Every environment variable that is read, and the field that it sets. */
const variables: readonly (readonly [variable: string, field: string, read: Read])[] = [
  ['DATABASE_URL', 'url', asText],
  ['DIRECT_DATABASE_URL', 'directUrl', asText],
  ['SHADOW_DATABASE_URL', 'shadowUrl', asText],
  ['DATABASE_READ_REPLICA_URL', 'replicaUrls', asList],
  ['DB_REPLICA_MAX_LAG_MS', 'replicas.maxLagMs', asNumber],
  ['DB_REPLICA_CHECK_INTERVAL_MS', 'replicas.checkIntervalMs', asNumber],
  ['DB_REPLICA_MODE', 'replicas.mode', asText],
  ['DB_HOST', 'host', asText],
  ['DB_PORT', 'port', asNumber],
  ['DB_USER', 'user', asText],
  ['DB_PASSWORD', 'password', asText],
  ['DB_NAME', 'database', asText],
  ['DB_SCHEMA', 'schema', asText],
  ['DB_APPLICATION_NAME', 'applicationName', asText],
  ['DB_SSL_MODE', 'ssl.mode', asText],
  ['DB_SSL_CA', 'ssl.ca', asText],
  ['DB_SSL_CERT', 'ssl.cert', asText],
  ['DB_SSL_KEY', 'ssl.key', asText],
  ['DB_POOL_MODE', 'pool.mode', asText],
  ['DB_POOL_MAX', 'pool.max', asNumber],
  ['DB_POOL_MIN', 'pool.min', asNumber],
  ['DB_CONNECT_TIMEOUT_MS', 'pool.connectTimeoutMs', asNumber],
  ['DB_IDLE_TIMEOUT_MS', 'pool.idleTimeoutMs', asNumber],
  ['DB_MAX_LIFETIME_MS', 'pool.maxLifetimeMs', asNumber],
  ['DB_QUERY_TIMEOUT_MS', 'queryTimeoutMs', asNumber],
  ['DB_TRANSACTION_TIMEOUT_MS', 'transactionTimeoutMs', asNumber],
  ['DB_DRAIN_TIMEOUT_MS', 'drainTimeoutMs', asNumber],
  ['DB_SLOW_QUERY_MS', 'slowQueryMs', asNumber],
  ['DB_LOG_LEVEL', 'logging.level', asText],
  ['DB_ENCRYPTION_KEY', 'encryption.key', asText],
  ['DB_BACKUP_DIRECTORY', 'backup.directory', asText],
  ['DB_BACKUP_RETENTION_DAYS', 'backup.retentionDays', asNumber],
]

/** `NODE_ENV` says `test` where this family says `testing`. */
const environments: Readonly<Record<string, string>> = { test: 'testing' }

/**
 * Reads the configuration from environment variables: `DATABASE_URL`, `DIRECT_DATABASE_URL`, `DB_POOL_MAX` and
 * so on; empty variables count as absent. The environment is `DB_ENVIRONMENT`, else `NODE_ENV`. Nothing is
 * checked here: `parseConfig` and `createDatabase` check and name the variable of each wrong field.
 */
export function fromEnv(
  env: Readonly<Record<string, string | undefined>> = process.env,
): DatabaseConfigInput {
  const config: Record<string, unknown> = {}
  const sources: Record<string, string> = {}
  const set = (variable: string, field: string, value: unknown): void => {
    const [first = field, second] = field.split('.')
    if (second === undefined) config[first] = value
    else config[first] = { ...(config[first] as object | undefined), [second]: value }
    sources[field] = variable
    sources[first] ??= variable
  }
  for (const [variable, field, read] of variables) {
    const text = env[variable]
    if (text !== undefined && text !== '') set(variable, field, read(text))
    else sources[field] ??= variable
  }
  const name = env.DB_ENVIRONMENT || env.NODE_ENV
  if (name) set(env.DB_ENVIRONMENT ? 'DB_ENVIRONMENT' : 'NODE_ENV', 'environment', environments[name] ?? name)
  return { ...config, [variablesKey]: sources }
}
