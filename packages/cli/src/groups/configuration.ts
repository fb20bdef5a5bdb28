import { ConfigError, type DatabaseConfig, type Environment, parseConfig } from '@org/db-core'
import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { markEnvironment, markedEnvironment } from '@org/db-core/environment'
import { pgBouncerIni } from '@org/db-core/pgbouncer'
import { UsageError } from '../usage-error.ts'

/** `orgdb config …`: what the configuration is, and what follows from it. */
export const configurationGroup: CommandGroup = {
  name: 'config',
  description: 'check the configuration, write a pgbouncer.ini, mark the database',
  commands: [
    {
      name: 'check',
      description: 'every wrong field with its variable, else what holds; connects unless --offline',
      options: { offline: { type: 'boolean', description: 'the fields only' } },
      run: check,
    },
    {
      name: 'pgbouncer',
      description: 'a pgbouncer.ini that fits',
      options: {
        instances: { type: 'number', description: 'processes of the application; default 1' },
        'max-connections': { type: 'number', description: 'of the server; default: it is asked' },
        reserved: { type: 'number', description: 'connections left to others; default 10' },
        port: { type: 'number', description: 'of PgBouncer; default 6432' },
      },
      run: pgBouncer,
    },
    {
      name: 'mark',
      description: 'write into the database which environment it belongs to; what destroys then asks it',
      options: { as: { type: 'string', description: 'default: the environment of the configuration' } },
      // Whoever marks production's database as development's could then reset it.
      destroys: true,
      run: mark,
    },
  ],
}

async function check(call: CommandCall): Promise<CommandAnswer> {
  let config: DatabaseConfig
  try {
    config = parseConfig(call.config)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return {
      text: error.problems.map(({ field, variable, problem }) => ['wrong', field, variable ?? '', problem]),
      json: { ok: false, problems: error.problems },
      exitCode: 1,
    }
  }
  const fields = shown(config)
  const server = call.options.offline ? undefined : await reached(call)
  const rows = [...Object.entries(fields), ...Object.entries(server ?? {})].map(([name, value]) => [
    name,
    String(value),
  ])
  return {
    text: [...config.warnings.map((warning) => ['warning', warning]), ...rows],
    json: { ok: true, config: fields, ...(server && { server }), warnings: config.warnings },
  }
}

/** Without passwords and keys. */
function shown(config: DatabaseConfig): Readonly<Record<string, string | number>> {
  const address = (url: string): string => {
    const { username, host, pathname } = new URL(url)
    return `${username}@${host}${pathname}`
  }
  const { environment, url, directUrl, pool, ssl, replicas, schema, queryTimeoutMs, transactionTimeoutMs } =
    config
  return {
    environment,
    url: config.failover ? `${config.failover.hosts.length} hosts` : address(url),
    ...(directUrl !== undefined && { directUrl: address(directUrl) }),
    ...(replicas.nodes.length > 0 && {
      replicas: replicas.nodes.map((node) => address(node.url)).join(', '),
    }),
    ...(schema !== undefined && { schema }),
    ssl: ssl.mode,
    'pool.mode': pool.mode,
    'pool.max': pool.max,
    queryTimeoutMs,
    transactionTimeoutMs,
  }
}

async function reached(call: CommandCall): Promise<Readonly<Record<string, string>>> {
  const sql = await call.sql()
  const [row] = await sql.query<{ version: string; user: string }>(
    `SELECT current_setting('server_version') AS version, current_user AS user`,
  )
  return {
    server: `PostgreSQL ${row?.version ?? ''}`,
    user: row?.user ?? '',
    'marked as': (await markedEnvironment(sql)) ?? 'nothing',
  }
}

async function pgBouncer(call: CommandCall): Promise<CommandAnswer> {
  const number = (name: string): number | undefined => {
    const value = call.options[name]
    return typeof value === 'number' ? value : undefined
  }
  const [instances, reserved, port] = [number('instances'), number('reserved'), number('port')]
  const serverMaxConnections = number('max-connections') ?? (await askedFor(call))
  const ini = pgBouncerIni(call.config, {
    serverMaxConnections,
    ...(instances !== undefined && { instances }),
    ...(reserved !== undefined && { reservedConnections: reserved }),
    ...(port !== undefined && { port }),
  })
  return { text: ini.trimEnd(), json: { ini } }
}

async function askedFor(call: CommandCall): Promise<number> {
  const [row] = await (await call.sql()).query<{ max: number }>(
    "SELECT current_setting('max_connections')::int AS max",
  )
  return row?.max ?? 100
}

async function mark(call: CommandCall): Promise<CommandAnswer> {
  const given = call.options.as ?? call.environment
  const known: readonly unknown[] = ['development', 'testing', 'staging', 'production']
  if (!known.includes(given)) throw new UsageError(`--as is one of ${known.join(', ')}`)
  const environment = given as Environment
  await markEnvironment(await call.sql(), environment)
  return { text: `marked as ${environment}`, json: { environment } }
}
