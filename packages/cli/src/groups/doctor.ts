import { resolve } from 'node:path'
import { type DatabaseConfig, isDbError, parseConfig, type SqlClient } from '@org/db-core'
import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { markedEnvironment } from '@org/db-core/environment'
import { createMigrator } from '@org/db-migrations'
import type { OrgdbConfig } from '../config.ts'

/** One thing that was looked at. */
interface Finding {
  readonly state: 'ok' | 'warning' | 'wrong'
  readonly what: string
  readonly detail: string
}

const ok = (what: string, detail: string): Finding => ({ state: 'ok', what, detail })
const warning = (what: string, detail: string): Finding => ({ state: 'warning', what, detail })
const wrong = (what: string, detail: string): Finding => ({ state: 'wrong', what, detail })

/** `orgdb doctor`: looks at everything, changes nothing. */
export function doctorGroup(cwd: string, { migrations = {} }: OrgdbConfig): CommandGroup {
  async function run(call: CommandCall): Promise<CommandAnswer> {
    const findings: Finding[] = [node()]
    const config = configured(call, findings)
    const sql = config && (await connected(call, findings))
    if (config && sql) {
      for (const look of [server, environment, connections, rights, extensions, transactions]) {
        findings.push(...(await look(sql, { config, call })))
      }
      findings.push(await migrationState(call))
    }
    return {
      text: findings.map(({ state, what, detail }) => [state, what, detail]),
      json: { ok: findings.every(({ state }) => state === 'ok'), findings },
      exitCode: findings.some(({ state }) => state === 'wrong')
        ? 1
        : findings.some(({ state }) => state === 'warning')
          ? 2
          : 0,
    }
  }

  async function migrationState(call: CommandCall): Promise<Finding> {
    try {
      const directory = resolve(cwd, migrations.directory ?? 'prisma/migrations')
      const { packages } = migrations
      const migrator = createMigrator({ ...call.config, directory, ...(packages && { packages }) })
      const { upToDate, pending, invalidIndexes } = await migrator.status()
      if (invalidIndexes.length > 0) {
        return wrong('migrations', `invalid indexes: ${invalidIndexes.join(', ')}; orgdb migrate repair`)
      }
      if (upToDate) return ok('migrations', 'all applied')
      return warning('migrations', `${pending.length} pending or to be looked at; orgdb migrate status`)
    } catch (error) {
      return wrong('migrations', messageOf(error))
    }
  }

  return {
    name: 'doctor',
    description: 'what is wrong with the machine, the configuration or the database',
    commands: [
      {
        name: '',
        description: 'looks at Node.js, configuration, server, rights, migrations; changes nothing',
        run,
      },
    ],
  }
}

function messageOf(error: unknown): string {
  return isDbError(error) ? `${error.message} [${error.code}]` : String(error)
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
  const fits = major > 20 || (major === 20 && minor >= 19)
  return fits
    ? ok('Node.js', process.versions.node)
    : wrong('Node.js', `${process.versions.node}; 20.19 or later is needed`)
}

function configured({ config }: CommandCall, findings: Finding[]): DatabaseConfig | undefined {
  try {
    const parsed = parseConfig(config)
    findings.push(ok('configuration', parsed.environment))
    for (const text of parsed.warnings) findings.push(warning('configuration', text))
    return parsed
  } catch (error) {
    findings.push(wrong('configuration', messageOf(error).replaceAll(/\s*\n\s*/g, '; ')))
    return undefined
  }
}

async function connected(call: CommandCall, findings: Finding[]): Promise<SqlClient | undefined> {
  try {
    const sql = await call.sql()
    findings.push(ok('connection', 'made'))
    return sql
  } catch (error) {
    findings.push(wrong('connection', messageOf(error)))
    return undefined
  }
}

interface Looking {
  readonly config: DatabaseConfig
  readonly call: CommandCall
}

async function server(sql: SqlClient): Promise<readonly Finding[]> {
  const [row] = await sql.query<{ number: number; version: string; standby: boolean }>(
    `SELECT current_setting('server_version_num')::int AS number, current_setting('server_version') AS version,
            pg_is_in_recovery() AS standby`,
  )
  const { number = 0, version = '', standby = false } = row ?? {}
  return [
    number >= 140_000 ? ok('PostgreSQL', version) : wrong('PostgreSQL', `${version}; 14 or later is needed`),
    ...(standby ? [wrong('PostgreSQL', 'is a standby, which takes no writes')] : []),
  ]
}

async function environment(sql: SqlClient, { config }: Looking): Promise<readonly Finding[]> {
  const marked = await markedEnvironment(sql)
  if (marked === undefined) return [warning('environment', 'the database has no mark; orgdb config mark')]
  return marked === config.environment
    ? [ok('environment', marked)]
    : [wrong('environment', `the database is ${marked}'s, the configuration says ${config.environment}`)]
}

async function connections(sql: SqlClient, { config }: Looking): Promise<readonly Finding[]> {
  const [row] = await sql.query<{ max: number; used: number }>(
    `SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int AS max,
            (SELECT count(*)::int FROM pg_stat_activity WHERE backend_type = 'client backend') AS used`,
  )
  const { max = 0, used = 0 } = row ?? {}
  const text = `${used} of ${max} used, ${config.pool.max} for a process`
  return [
    config.pool.max > max - used && config.pool.mode !== 'transaction'
      ? warning('connections', text)
      : ok('connections', text),
    ...(config.pool.mode === 'transaction' && config.directUrl === undefined
      ? [warning('connections', 'a pooler without directUrl: migrations, LISTEN and locks need a session')]
      : []),
  ]
}

async function rights(sql: SqlClient): Promise<readonly Finding[]> {
  const [row] = await sql.query<{ create: boolean; scratch: boolean }>(
    `SELECT has_database_privilege(current_database(), 'CREATE') AS create,
            (SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user) AS scratch`,
  )
  return [
    row?.create
      ? ok('rights', 'may create schemas, for the own tables of packages')
      : wrong('rights', 'GRANT CREATE ON DATABASE … is needed, for the own tables of packages'),
    row?.scratch
      ? ok('rights', 'may create databases, for verify and drift')
      : warning('rights', 'may not create databases: verify and drift need shadowUrl'),
  ]
}

const wanted = ['pg_trgm', 'pg_stat_statements', 'hypopg']

async function extensions(sql: SqlClient): Promise<readonly Finding[]> {
  const rows = await sql.query<{ name: string; installed: boolean }>(
    'SELECT name, installed_version IS NOT NULL AS installed FROM pg_available_extensions WHERE name = ANY ($1)',
    [wanted],
  )
  // None is required; where one is there it is used.
  return [
    ok(
      'extensions',
      wanted
        .map((name) => {
          const found = rows.find((row) => row.name === name)
          return `${name} ${found ? (found.installed ? 'installed' : 'available') : 'not there'}`
        })
        .join(', '),
    ),
  ]
}

async function transactions(sql: SqlClient): Promise<readonly Finding[]> {
  const [row] = await sql.query<{ seconds: number; age: number }>(
    `SELECT coalesce(max(extract(epoch FROM now() - xact_start)), 0)::int AS seconds,
            (SELECT age(datfrozenxid)::int FROM pg_database WHERE datname = current_database()) AS age
       FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`,
  )
  const { seconds = 0, age = 0 } = row ?? {}
  return [
    seconds > 300
      ? warning('transactions', `one has been open for ${seconds} s`)
      : ok('transactions', 'none is older than 5 min'),
    ...(age > 1_000_000_000 ? [wrong('transactions', 'wraparound is near: VACUUM (FREEZE)')] : []),
  ]
}
