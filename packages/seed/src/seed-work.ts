import type { DatabaseLike, Environment, SchemaMetadata } from '@org/db-core'
import type { FieldName, ModelName, RowInput, Scalars } from './client-types.ts'
import { type GeneratedRows, generate, type SeedRow } from './data/index.ts'
import { SeedError } from './errors.ts'
import { type LoadMode, type TableCount, TableLoad } from './load/table-load.ts'
import { columnOf, type Target, targetOf } from './load/target.ts'
import { type References, referencesOf } from './references.ts'

/** How rows are put into a table. */
export interface PutOptions<Row, Field extends string> {
  /** Rows, made when they are asked for: a million take no more memory than a thousand. All have the same fields. */
  readonly rows: Iterable<Row> | AsyncIterable<Row>
  /** The natural key: fields of a unique, by which a row is found again. */
  readonly key: readonly Field[]
  /** What a row that is there takes over; `[]` leaves it as it is. Default: all fields of the rows but the key. */
  readonly merge?: readonly Field[]
}

/** Which values to refer to. */
export interface ReferencesOptions<Field extends string> {
  /** The field that foreign keys hold. Default: the model's id. */
  readonly field?: Field
  /** Fields that give the order, the same on every machine. Default: `field`. Take a natural key where ids are drawn by the database. */
  readonly by?: readonly Field[]
  /** Only rows with these values. */
  readonly where?: Readonly<Partial<Record<Field, unknown>>>
}

/** What `load` of a seeder works with. Everything runs in one transaction, also what it does with `db`. */
export interface SeedWork<Db> {
  readonly db: Db
  /** `load` is run for all three: what is put is stored, compared with what is there, or removed in the end. */
  readonly mode: LoadMode
  /** For whom; `undefined` where it is for no organisation. */
  readonly organisation: string | undefined
  readonly environment: Environment
  /** Ends the work. */
  readonly signal: AbortSignal | undefined
  /** So many, times the scale that was asked for; at least one. */
  count(rows: number): number
  /** Rows that follow from the seed, the seeder and the organisation: see `generate` of `@org/db-seed/data`. */
  generate<T>(options: {
    readonly name: string
    readonly count: number
    readonly row: (row: SeedRow) => T
  }): GeneratedRows<T>
  /** Puts rows into a table: stores what is missing, changes what differs, and leaves the rest alone. */
  put<M extends ModelName<Db>>(
    model: M,
    options: PutOptions<RowInput<Db, M>, FieldName<Db, M>>,
  ): Promise<TableCount>
  /** Values of rows that are there, to refer to. */
  references<M extends ModelName<Db>, F extends FieldName<Db, M>>(
    model: M,
    options: ReferencesOptions<FieldName<Db, M>> & { readonly field: F },
  ): Promise<References<Scalars<Db, M>[F]>>
  /** Values of a list of your own, to refer to: unlike `references` it stays the same whatever else is in the table. */
  among<Value>(values: readonly Value[], options: { readonly name: string }): References<Value>
}

/** What the work stands on. */
export interface WorkSetup<Db> {
  readonly db: Db
  readonly database: DatabaseLike & { readonly metadata: SchemaMetadata }
  readonly seeder: string
  readonly mode: LoadMode
  readonly organisation: string | undefined
  readonly environment: Environment
  readonly seed: string | number
  readonly scale: number
  readonly signal: AbortSignal | undefined
  readonly onRows: ((model: string, rows: number) => void) | undefined
}

/** Rows made before others get a turn: meanwhile those before are on their way. */
const breathRows = 100

/** The work, and what became of it. */
export interface RunningWork<Db> {
  readonly work: SeedWork<Db>
  readonly loads: readonly TableLoad[]
}

/** Makes the work of one run of a seeder. */
export function createWork<Db>(setup: WorkSetup<Db>): RunningWork<Db> {
  const { db, database, mode, organisation, environment, seed, scale, signal, seeder } = setup
  const loads: TableLoad[] = []
  const own = organisation === undefined ? seeder : `${seeder}/${organisation}`

  async function put(
    delegate: string,
    { rows, key, merge }: PutOptions<object, string>,
  ): Promise<TableCount> {
    const load = new TableLoad(targetOf(database, delegate), { mode, key, merge })
    loads.push(load)
    let row = 0
    const take = (each: object): Promise<void> | undefined => {
      row += 1
      const room = load.add(each)
      if (room) setup.onRows?.(load.count.model, load.rows)
      return room ?? (row % breathRows === 0 ? breath() : undefined)
    }
    const takeAll = async (): Promise<void> => {
      signal?.throwIfAborted()
      if (Symbol.iterator in rows) {
        for (const each of rows) {
          const room = take(each)
          if (!room) continue
          await room
          signal?.throwIfAborted()
        }
      } else {
        for await (const each of rows) {
          await take(each)
          signal?.throwIfAborted()
        }
      }
      await load.end()
    }
    try {
      await takeAll()
    } catch (error) {
      // What is on its way is part of the transaction, which must not end before it.
      await load.settled()
      throw error
    }
    setup.onRows?.(load.count.model, load.rows)
    return load.count
  }

  async function references(
    delegate: string,
    options: ReferencesOptions<string>,
  ): Promise<References<never>> {
    const target = targetOf(database, delegate)
    const { field = target.model.id[0] ?? '', by = [field], where = {} } = options
    const conditions = Object.entries(where).map(([name, value]) => ({
      column: columnOf(target, name),
      value,
    }))
    const given = conditions.filter(({ value }) => value !== null)
    const filter = [
      ...given.map(({ column }, index) => `${column.sql} = $${index + 1}`),
      ...conditions.flatMap(({ column, value }) => (value === null ? [`${column.sql} IS NULL`] : [])),
    ].join(' AND ')
    // Collations differ between machines.
    const order = by.map((name) => `${columnOf(target, name).sql}::text COLLATE "C"`).join(', ')
    const rows = await database.sql.query<{ value: unknown }>(
      `SELECT ${columnOf(target, field).sql} AS value FROM ${target.table}${filter && ` WHERE ${filter}`} ORDER BY ${order}`,
      given.map(({ value }) => value),
    )
    const values = rows.map(({ value }) => value)
    const typed = isBigInt(target, field) ? values.map((value) => BigInt(value as string)) : values
    return referencesOf(typed as never[], { seed, name: `${own}/${delegate}` })
  }

  const work = {
    db,
    mode,
    organisation,
    environment,
    signal,
    count: (rows: number) => Math.max(1, Math.round(rows * scale)),
    generate: <T>(options: { name: string; count: number; row: (row: SeedRow) => T }) =>
      generate({ ...options, seed, name: `${own}/${options.name}` }),
    put,
    references,
    among: <Value>(values: readonly Value[], { name }: { name: string }) =>
      referencesOf(values, { seed, name: `${own}/${name}` }),
  }
  return { work: work as unknown as SeedWork<Db>, loads }
}

function isBigInt({ columns }: Target, field: string): boolean {
  return columns.get(field)?.field.type === 'BigInt'
}

/** The event loop's other work: sockets are written to meanwhile. */
function breath(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** The part of a database that seeding needs. @throws SeedError `DB_SEED_OPTIONS` */
export function withMetadata(database: DatabaseLike | undefined): WorkSetup<unknown>['database'] {
  const metadata = database?.metadata
  if (database && metadata) return database as WorkSetup<unknown>['database']
  throw new SeedError('DB_SEED_OPTIONS', 'Seeders need a database that createDatabase made with metadata')
}
