import { classify, type Operation, type SqlExecutor } from '@org/db-core'
import { SeedError } from '../errors.ts'
import { copyText } from './encode.ts'
import { type MadeColumn, madeColumns, makeAnew } from './made-columns.ts'
import { moveSequences } from './sequences.ts'
import { type Column, columnOf, type Target } from './target.ts'
import { TextBuffer } from './text-buffer.ts'

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
/** Rows that interceptors see at once. */
const batchRows = 1_000

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
  /** Columns that Prisma's client would fill, and rows don't give. */
  #made: readonly MadeColumn[] = []
  /** Columns that tell when a row was written, and that rows don't give. */
  #stamps: readonly Column[] = []
  #stampText = ''
  #fields: ReadonlySet<string> = new Set()
  #isDirect = false
  /** Rows on their way to the interceptors. */
  #batch: object[] = []
  /** Rows as text, and how many. */
  readonly #text = new TextBuffer()
  #waiting = 0
  #copying: Promise<void> | undefined

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

  /** What it goes to, as SQL has it. */
  get table(): string {
    return this.#target.table
  }

  get count(): TableCount {
    return { model: this.#target.name, ...this.#count }
  }

  /** Rows that were looked at, whatever became of them. */
  get rows(): number {
    const { created, updated, unchanged, deleted } = this.#count
    return created + updated + unchanged + deleted
  }

  /**
   * Takes one row. It becomes text at once, so that rows don't gather; where interceptors stand before the database they
   * see batches. Resolves when there is room for the next one.
   */
  add(row: object): Promise<void> | undefined {
    const { database } = this.#target
    if (database.isIntercepted) {
      this.#batch.push(row)
      return this.#batch.length < batchRows ? undefined : this.#passBatch()
    }
    if (!this.#columns) return this.#begin(row as Row).then(() => this.add(row))
    this.#waiting += 1
    return this.#text.add(this.#line(row as Row, this.#columns)) ? this.#flush() : undefined
  }

  /** Takes what is left. */
  async end(): Promise<void> {
    if (this.#batch.length > 0) await this.#passBatch()
    if (this.#waiting > 0) await this.#flush()
    await this.#copying
    if (this.#options.mode === 'seed' && this.#count.created > 0)
      await moveSequences(this.#target, this.#columns ?? [])
  }

  /** Resolves when nothing is on its way any more, however it ended. */
  async settled(): Promise<void> {
    await this.#copying?.catch(() => undefined)
  }

  async #passBatch(): Promise<void> {
    const rows = this.#batch
    this.#batch = []
    const { name, database } = this.#target
    await database.operate({ model: name, action: 'createMany', args: { data: rows } }, async (operation) => {
      for (const row of rowsOf(operation, name)) {
        const columns = this.#columns ?? (await this.#begin(row))
        this.#waiting += 1
        if (this.#text.add(this.#line(row, columns))) await this.#flush()
      }
      if (this.#waiting > 0) await this.#flush()
      // Its failure is the operation's.
      await this.#copying
      return { count: rows.length }
    })
  }

  /** Sends what has gathered, when what was sent before has arrived; resolves when the next can gather. */
  async #flush(): Promise<void> {
    await this.#copying
    const rows = this.#waiting
    this.#waiting = 0
    this.#copying = this.#send(this.#text.take(), rows)
    // It is awaited before the next one, or in the end; until then nobody is listening.
    this.#copying.catch(() => undefined)
  }

  async #send(text: Buffer, rows: number): Promise<void> {
    const columns = this.#columns ?? []
    const { table, database, name } = this.#target
    const names = [...columns, ...(this.#isDirect ? this.#stamps : [])].map(({ sql }) => sql).join(', ')
    const into = this.#isDirect ? table : this.#stage
    try {
      await database.copy(`COPY ${into} (${names}) FROM STDIN`, [text])
    } catch (error) {
      const { metadata } = database
      throw (
        classify(error, {
          ...(metadata && { metadata }),
          model: name,
          action: 'createMany',
          inTransaction: true,
        }) ?? error
      )
    }
    if (this.#isDirect) this.#count.created += rows
    else if (this.#options.mode !== 'clean') await this.#merge(columns, rows)
  }

  /** The fields of the first row are those of all. */
  async #begin(first: Row): Promise<readonly Column[]> {
    const target = this.#target
    const { sql, isScoped } = target.database
    for (const field of this.#options.key) {
      if (!(field in first)) throw new SeedError('DB_SEED_ROW', `${target.name}: rows have no ${field}`)
    }
    const isClean = this.#options.mode === 'clean'
    this.#fields = new Set(Object.keys(first))
    const given = Object.keys(first).map((field) => columnOf(target, field))
    if (this.#options.mode === 'seed') this.#made = madeColumns(target, this.#fields)
    const columns = isClean ? this.#key : [...given, ...this.#made.map(({ column }) => column)]
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

  /** A row as COPY has it. */
  #line(row: Row, columns: readonly Column[]): string {
    const { key } = this.#options
    const made = this.#madeOf(row)
    let text = ''
    let place = 0
    for (const column of columns) {
      const encoded = made.get(column) ?? column.encode(row[column.name])
      if (encoded === undefined) {
        throw this.#wrong(
          row[column.name] === undefined
            ? 'rows have different fields'
            : `a value of ${column.name} is none of its type`,
        )
      }
      if (encoded === null && key.includes(column.name))
        throw this.#wrong(`${column.name} is the key, and null`)
      text += place++ === 0 ? copyText(encoded) : `\t${copyText(encoded)}`
    }
    for (const name in row) if (!this.#fields.has(name)) throw this.#wrong('rows have different fields')
    return this.#isDirect ? `${text}${this.#stampText}\n` : `${text}\n`
  }

  /** What follows from the row's key, so that it is the same on every machine. */
  #madeOf(row: Row): ReadonlyMap<Column, string> {
    if (this.#made.length === 0) return noneMade
    const name = this.#key.map((column) => column.encode(row[column.name]) ?? '').join('\0')
    const { name: model } = this.#target
    return new Map(this.#made.map(({ column, make }) => [column, make(`${model}\0${column.name}\0${name}`)]))
  }

  /** From the temporary table into the real one, which is not even touched where nothing differs. */
  async #merge(columns: readonly Column[], rows: number): Promise<void> {
    const { table, database } = this.#target
    const { sql } = database
    const merge = this.#mergedColumns(columns)
    // As texts, because not every type can be compared; both sides are of one type, so equal values are equal texts.
    const differs = merge.map((column) => `t.${column}::text IS DISTINCT FROM s.${column}::text`).join(' OR ')
    const [first] = this.#key
    const keys = this.#key.map((column) => column.sql).join(', ')
    const [found] = await sql.query<{ missing: number; different: number; keys: number }>(
      `SELECT (count(*) FILTER (WHERE t.${first?.sql} IS NULL))::int AS missing,
              (count(*) FILTER (WHERE t.${first?.sql} IS NOT NULL AND (${differs || 'false'})))::int AS different,
              (SELECT count(*) FROM (SELECT DISTINCT ${keys} FROM ${this.#stage}) k)::int AS keys
         FROM ${this.#stage} s LEFT JOIN ${table} t ON ${this.#matches()}`,
    )
    const { missing = 0, different = 0 } = found ?? {}
    // Which of them was to hold would be left to chance, and each run would change the other's row.
    if (found && found.keys < rows)
      throw this.#wrong(`two rows have the same ${this.#options.key.join(', ')}`)
    if (this.#options.mode === 'seed') {
      if (different > 0) await this.#update(sql, merge, differs)
      if (missing > 0) {
        await makeAnew(this.#made, { sql, stage: this.#stage, table, matches: this.#matches() })
        await this.#insert(sql, columns)
      }
    }
    await sql.query(`TRUNCATE ${this.#stage}`)
    this.#count.created += missing
    this.#count.updated += different
    this.#count.unchanged += rows - missing - different
  }

  #mergedColumns(columns: readonly Column[]): readonly string[] {
    const { merge, key } = this.#options
    const given = columns.map(({ name }) => name).filter((name) => this.#fields.has(name))
    const names = merge ?? given.filter((name) => !key.includes(name))
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

const noneMade: ReadonlyMap<Column, string> = new Map()

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
