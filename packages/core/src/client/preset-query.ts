import pg from 'pg'
import type { Begin } from './database-client.ts'

/** PostgreSQL settings, for one transaction. */
export type Settings = readonly (readonly [name: string, value: string])[]

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
  return { ...begin, sql: statements.join('') + (begin?.sql ?? '') }
}

/** SQL that sets them until the end of the transaction. */
function settingsSql(settings: Settings): string {
  const calls = settings.map(
    ([name, value]) => `set_config(${pg.escapeLiteral(name)}, ${pg.escapeLiteral(value)}, true)`,
  )
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
}

const Query = pg.Query as unknown as new (config: pg.QueryConfig) => QueryInside

/**
 * A statement with settings of its own: both are sent in one network write and end with one Sync, so PostgreSQL
 * runs them as one transaction, which an error of either rolls back. No BEGIN and COMMIT, no further round trip.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-PIPELINING
 */
class PresetQuery extends Query {
  readonly #settings: Settings
  #isPresetting = true

  constructor(config: pg.QueryConfig, settings: Settings) {
    super(config)
    this.#settings = settings
  }

  override prepare(connection: WireConnection): void {
    const calls = this.#settings.map((_, index) => `set_config($${index * 2 + 1}, $${index * 2 + 2}, true)`)
    connection.parse({ text: `SELECT ${calls.join(', ')}`, name: '', types: [] })
    connection.bind({ portal: '', statement: '', values: this.#settings.flat(), binary: false })
    connection.execute({ portal: '', rows: 0 })
    super.prepare(connection)
  }

  override handleDataRow(message: unknown): void {
    if (!this.#isPresetting) super.handleDataRow(message)
  }

  override handleCommandComplete(message: unknown, connection: WireConnection): void {
    if (this.#isPresetting) this.#isPresetting = false
    else super.handleCommandComplete(message, connection)
  }
}

type Send = (...args: readonly unknown[]) => unknown

/** Runs what `client.query(...args)` would, with settings that hold for it alone. */
export function queryWith(settings: Settings, args: readonly unknown[], send: Send): Promise<unknown> {
  const [first, values] = args
  const given = typeof first === 'string' ? { text: first } : (first as pg.QueryConfig)
  const config: pg.QueryConfig = Array.isArray(values) ? { ...given, values } : given
  if (!config.values?.length) return several(config, settings, send)
  const query = new PresetQuery(config, settings)
  return new Promise((resolve, reject) => {
    query.callback = (error, result) => (error ? reject(error) : resolve(result))
    send(query)
  })
}

/** Without values the text may hold several statements, which PostgreSQL runs as one transaction too. */
async function several(config: pg.QueryConfig, settings: Settings, send: Send): Promise<unknown> {
  const results: unknown = await send({
    ...config,
    values: undefined,
    text: `${settingsSql(settings)}; ${config.text}`,
  })
  const own = Array.isArray(results) ? results.slice(1) : [results]
  return own.length === 1 ? own[0] : own
}
