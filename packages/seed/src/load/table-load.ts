import type { Operation, SqlExecutor } from '@org/db-core'
import { SeedError } from '../errors.ts'
import { copyText } from './encode.ts'
import { type Column, columnOf, type Target } from './target.ts'

/** What is done with rows: stored, compared with what is there, or removed in the end. */
export type LoadMode = 'seed' | 'validate' | 'clean'

/** What became of the rows of one table. */
export interface TableCount {
  readonly model: string
  /** Rows that were not there. When validating: that are missing. */
  readonly created: number
  /** Rows that were there and had other values. When validating: that have other values. */
  readonly updated: number
  readonly unchanged: number
  readonly deleted: number
}

/** How the rows of one table are loaded. */
export interface TableLoadOptions {
  readonly mode: LoadMode
  readonly key: readonly string[]
  /** Default: all fields of the rows but the key. */
  readonly merge?: readonly string[] | undefined
}

type Row = Readonly<Record<string, unknown>>

let tables = 0
/** COPY is fed in messages of about this size. */
const messageLength = 65_536

/**
 * Loads rows into one table, batch by batch, on the connection of the ambient transaction: by COPY into an empty table;
 * else by COPY into a temporary one, from which only what is missing or differs goes on.
 */
export class TableLoad {
  readonly #target: Target
  readonly #options: TableLoadOptions
  readonly #key: readonly Column[]
  readonly #stage = `"orgdb_seed_${++tables}"`
  readonly #count = { created: 0, updated: 0, unchanged: 0, deleted: 0 }
  #columns: readonly Column[] | undefined
  /** Columns that tell when a row was written, and that rows don't give. */
  #stamps: readonly Column[] = []
  #stampText = ''
  #isDirect = false

  constructor(target: Target, options: TableLoadOptions) {
    const { key } = options
    const isUnique = target.model.uniques.some(
      (fields) => fields.length === key.length && fields.every((field) => key.includes(field)),
    )
    if (!isUnique) throw new SeedError('DB_SEED_ROW', `${target.name}: ${key.join(', ')} is no unique key`)
    this.#target = target
    this.#options = options
    this.#key = key.map((field) => columnOf(target, field))
  }

  get count(): TableCount {
    return { model: this.#target.name, ...this.#count }
  }

  /** Rows that were looked at, whatever became of them. */
  get rows(): number {
    const { created, updated, unchanged, deleted } = this.#count
    return created + updated + unchanged + deleted
  }

  /** Takes a batch, through the interceptors. */
  async add(rows: readonly object[]): Promise<void> {
    const { name, database } = this.#target
    await database.operate({ model: name, action: 'createMany', args: { data: rows } }, async (operation) => {
      await this.#load(rowsOf(operation, name))
      return { count: rows.length }
    })
  }

  async #load(rows: readonly Row[]): Promise<void> {
    const columns = this.#columns ?? (await this.#begin(rows[0] ?? {}))
    const { table, database } = this.#target
    const names = [...columns, ...(this.#isDirect ? this.#stamps : [])].map(({ sql }) => sql).join(', ')
    const into = this.#isDirect ? table : this.#stage
    await database.copy(`COPY ${into} (${names}) FROM STDIN`, this.#messages(rows, columns))
    if (this.#isDirect) this.#count.created += rows.length
    else if (this.#options.mode !== 'clean') await this.#merge(columns, rows.length)
  }

  /** The fields of the first row are those of all. */
  async #begin(first: Row): Promise<readonly Column[]> {
    const target = this.#target
    const { sql, isScoped } = target.database
    for (const field of this.#options.key) {
      if (!(field in first)) throw new SeedError('DB_SEED_ROW', `${target.name}: rows have no ${field}`)
    }
    const isClean = this.#options.mode === 'clean'
    const given = Object.keys(first).map((field) => columnOf(target, field))
    const columns = isClean ? this.#key : given
    const now = [...target.columns.values()].filter(
      ({ name, field }) => field.isUpdatedAt && !(name in first),
    )
    this.#stamps = now
    this.#stampText = `\t${new Date().toISOString()}`.repeat(now.length)
    // Under a tenant's policies COPY is refused.
    if (this.#options.mode === 'seed' && !isScoped) {
      const [there] = await sql.query(`SELECT FROM ${target.table} LIMIT 1`)
      this.#isDirect = there === undefined
    }
    if (!this.#isDirect) {
      const names = columns.map(({ sql: column }) => column).join(', ')
      await sql.query(
        `CREATE TEMP TABLE ${this.#stage} ON COMMIT DROP AS SELECT ${names} FROM ${target.table} WITH NO DATA`,
      )
    }
    this.#columns = columns
    return columns
  }

  #messages(rows: readonly Row[], columns: readonly Column[]): readonly Buffer[] {
    const messages: Buffer[] = []
    const keys = new Set(this.#options.key)
    const width = Object.keys(rows[0] ?? {}).length
    const end = this.#isDirect ? `${this.#stampText}\n` : '\n'
    let text = ''
    for (const row of rows) {
      if (Object.keys(row).length !== width) throw this.#wrong('rows have different fields')
      for (let place = 0; place < columns.length; place++) {
        const { name, encode } = columns[place] as Column
        const encoded = encode(row[name])
        if (encoded === undefined) throw this.#wrong(`a value of ${name} is none of its type`)
        if (encoded === null && keys.has(name)) throw this.#wrong(`${name} is the key, and null`)
        text += place === 0 ? copyText(encoded) : `\t${copyText(encoded)}`
      }
      text += end
      if (text.length >= messageLength) {
        messages.push(Buffer.from(text))
        text = ''
      }
    }
    if (text !== '') messages.push(Buffer.from(text))
    return messages
  }

  /** From the temporary table into the real one, which is not even touched where nothing differs. */
  async #merge(columns: readonly Column[], rows: number): Promise<void> {
    const { table, database } = this.#target
    const { sql } = database
    const merge = this.#mergedColumns(columns)
    // As texts, because not every type can be compared; both sides are of one type, so equal values are equal texts.
    const differs = merge.map((column) => `t.${column}::text IS DISTINCT FROM s.${column}::text`).join(' OR ')
    const [first] = this.#key
    const [found] = await sql.query<{ missing: number; different: number }>(
      `SELECT (count(*) FILTER (WHERE t.${first?.sql} IS NULL))::int AS missing,
              (count(*) FILTER (WHERE t.${first?.sql} IS NOT NULL AND (${differs || 'false'})))::int AS different
         FROM ${this.#stage} s LEFT JOIN ${table} t ON ${this.#matches()}`,
    )
    const { missing = 0, different = 0 } = found ?? {}
    if (this.#options.mode === 'seed') {
      if (different > 0) await this.#update(sql, merge, differs)
      if (missing > 0) await this.#insert(sql, columns)
    }
    await sql.query(`TRUNCATE ${this.#stage}`)
    this.#count.created += missing
    this.#count.updated += different
    this.#count.unchanged += rows - missing - different
  }

  #mergedColumns(columns: readonly Column[]): readonly string[] {
    const { merge, key } = this.#options
    const names = merge ?? columns.map(({ name }) => name).filter((name) => !key.includes(name))
    return names.map((name) => columnOf(this.#target, name).sql)
  }

  #matches(): string {
    return this.#key.map(({ sql }) => `t.${sql} = s.${sql}`).join(' AND ')
  }

  async #update(sql: SqlExecutor, merge: readonly string[], differs: string): Promise<void> {
    const values = [
      ...merge.map((column) => `${column} = s.${column}`),
      ...this.#stamps.map(({ sql: column }) => `${column} = now()`),
    ]
    await sql.query(
      `UPDATE ${this.#target.table} t SET ${values.join(', ')} FROM ${this.#stage} s WHERE ${this.#matches()} AND (${differs})`,
    )
  }

  /** In the order of the rows, so that numbers from sequences are the same each time. */
  async #insert(sql: SqlExecutor, columns: readonly Column[]): Promise<void> {
    const names = columns.map((column) => column.sql)
    const stamps = this.#stamps.map((column) => column.sql)
    await sql.query(
      `INSERT INTO ${this.#target.table} (${[...names, ...stamps].join(', ')})
       SELECT ${[...names.map((name) => `s.${name}`), ...stamps.map(() => 'now()')].join(', ')} FROM ${this.#stage} s
        WHERE NOT EXISTS (SELECT FROM ${this.#target.table} t WHERE ${this.#matches()}) ORDER BY s.ctid`,
    )
  }

  /** Removes the rows that were added by their keys, and no others. */
  async deleteAll(): Promise<void> {
    if (!this.#columns) return
    const { table, database } = this.#target
    const [row] = await database.sql.query<{ count: number }>(
      `WITH gone AS (DELETE FROM ${table} t USING ${this.#stage} s WHERE ${this.#matches()} RETURNING 1)
       SELECT count(*)::int AS count FROM gone`,
    )
    this.#count.deleted += row?.count ?? 0
  }

  #wrong(what: string): SeedError {
    return new SeedError('DB_SEED_ROW', `${this.#target.name}: ${what}`)
  }
}

function rowsOf(operation: Operation, name: string): readonly Row[] {
  const { data, ...others } = operation.args as { readonly data?: unknown }
  if (operation.action === 'createMany' && Array.isArray(data) && Object.keys(others).length === 0) {
    return data as readonly Row[]
  }
  throw new SeedError(
    'DB_SEED_INTERCEPTED',
    `An interceptor makes of the rows of ${name} what can't be loaded in bulk: write them with the client`,
  )
}
