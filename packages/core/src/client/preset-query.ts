import pg from 'pg'
import { TenantError } from '../tenancy/tenant-error.ts'
import type { Begin } from './database-client.ts'

/** PostgreSQL settings, for one transaction. `schema`: one without which nothing may run. */
export type Settings = readonly (readonly [name: string, value: string, schema?: string])[]

/** The setting that says in which schemas names are looked up; its value is a list of quoted names. */
export const searchPath = 'search_path'

/** Those schemas in that order, and no others but PostgreSQL's own. */
export function searchPathOf(schemas: readonly string[]): string {
  return schemas.map((schema) => pg.escapeIdentifier(schema)).join(', ')
}

/** BEGIN with settings. SET takes no snapshot, so that modes of the transaction can still follow. */
export function beginWithSettings(begin: Begin | undefined, settings: Settings): Begin {
  // To SET, unlike `set_config`, a literal is one name, so that a list stands as it is; it can't be an empty one.
  const literal = (name: string, value: string): string =>
    name === searchPath && value !== '' ? value : pg.escapeLiteral(value)
  const statements = settings.map(([name, value]) => `; SET LOCAL ${name} = ${literal(name, value)}`)
  const checks = settings.flatMap(([, , schema]) =>
    schema === undefined ? [] : schemaChecks(pg.escapeLiteral(quoted(schema))),
  )
  return {
    ...begin,
    // A SELECT does take a snapshot, so it comes after the modes.
    sql:
      statements.join('') + (begin?.sql ?? '') + (checks.length > 0 ? `; SELECT ${checks.join(', ')}` : ''),
    onError: (error) => (checks.length > 0 ? schemaError(error) : undefined),
  }
}

/**
 * PostgreSQL leaves schemas of the search path out that do not exist or may not be used, and goes on with the next.
 * These raise for the former (3F000) and the latter (42501), with the statement, so that no answer can be stale.
 */
function schemaChecks(name: string): readonly string[] {
  return [`${name}::text::regnamespace`, `to_regclass(${name}::text || '.x')`]
}

function quoted(schema: string): string {
  return pg.escapeIdentifier(schema)
}

/** The error of a failed check; `undefined` where something else failed. */
function schemaError(error: unknown): TenantError | undefined {
  const { code } = error as { code?: unknown }
  if (code !== '3F000' && code !== '42501') return undefined
  return new TenantError(
    'DB_TENANT_SCHEMA',
    "The tenant's schema does not exist, or the role may not use it",
    {
      cause: error,
    },
  )
}

/** SQL that sets them until the end of the transaction. */
function settingsSql(settings: Settings): string {
  const calls = settings.flatMap(([name, value, schema]) => [
    `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, true)`,
    ...(schema === undefined ? [] : schemaChecks(pg.escapeLiteral(quoted(schema)))),
  ])
  return `SELECT ${calls.join(', ')}`
}

/** node-postgres' low-level connection, as far as it is used. */
interface WireConnection {
  parse(message: { text: string; name: string; types: readonly number[] }): void
  bind(message: { portal: string; statement: string; values: readonly string[]; binary: boolean }): void
  execute(message: { portal: string; rows: number }): void
}

/** node-postgres' class behind `client.query`, whose inner methods its types leave out. */
interface QueryInside {
  callback?: (error: Error | undefined, result: pg.QueryResult) => void
  prepare(connection: WireConnection): void
  handleDataRow(message: unknown): void
  handleCommandComplete(message: unknown, connection: WireConnection): void
  handleError(error: unknown, connection: WireConnection): void
}

const Query = pg.Query as unknown as new (config: pg.QueryConfig) => QueryInside

/** A statement behind one that makes settings, and knows which of the two an error is of. */
abstract class QueryBehindSettings extends Query {
  protected isPresetting = true

  override handleCommandComplete(message: unknown, connection: WireConnection): void {
    this.isPresetting = false
    super.handleCommandComplete(message, connection)
  }

  override handleError(error: unknown, connection: WireConnection): void {
    super.handleError((this.isPresetting && schemaError(error)) || error, connection)
  }
}

/**
 * A statement with settings of its own: both are sent in one network write and end with one Sync, so PostgreSQL
 * runs them as one transaction, which an error of either rolls back. No BEGIN and COMMIT, no further round trip.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class PresetQuery extends QueryBehindSettings {
  readonly #settings: Settings

  constructor(config: pg.QueryConfig, settings: Settings) {
    super(config)
    this.#settings = settings
  }

  override prepare(connection: WireConnection): void {
    const values: string[] = []
    const place = (value: string): string => `$${values.push(value)}`
    const calls = this.#settings.flatMap(([name, value, schema]) => [
      `set_config(${place(name)}, ${place(value)}, true)`,
      ...(schema === undefined ? [] : schemaChecks(place(quoted(schema)))),
    ])
    connection.parse({ text: `SELECT ${calls.join(', ')}`, name: '', types: [] })
    connection.bind({ portal: '', statement: '', values, binary: false })
    connection.execute({ portal: '', rows: 0 })
    super.prepare(connection)
  }

  override handleDataRow(message: unknown): void {
    if (!this.isPresetting) super.handleDataRow(message)
  }

  override handleCommandComplete(message: unknown, connection: WireConnection): void {
    if (this.isPresetting) this.isPresetting = false
    else super.handleCommandComplete(message, connection)
  }
}

/** Statements without values, the one that makes settings first among them. PostgreSQL runs them as one transaction too. */
class PresetScript extends QueryBehindSettings {}

type Send = (...args: readonly unknown[]) => unknown

/** Runs what `client.query(...args)` would, with settings that hold for it alone. */
export function queryWith(settings: Settings, args: readonly unknown[], send: Send): Promise<unknown> {
  const [first, values] = args
  const given = typeof first === 'string' ? { text: first } : (first as pg.QueryConfig)
  const config: pg.QueryConfig = Array.isArray(values) ? { ...given, values } : given
  const isScript = !config.values?.length
  const query = isScript
    ? new PresetScript({ ...config, values: [], text: `${settingsSql(settings)}; ${config.text}` })
    : new PresetQuery(config, settings)
  return new Promise((resolve, reject) => {
    query.callback = (error, result) => {
      if (error) reject(error)
      else resolve(isScript ? withoutFirst(result) : result)
    }
    send(query)
  })
}

function withoutFirst(results: unknown): unknown {
  const own = Array.isArray(results) ? results.slice(1) : [results]
  return own.length === 1 ? own[0] : own
}
