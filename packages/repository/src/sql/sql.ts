import { classify, type SchemaMetadata } from '@org/db-core'
import type { Access } from '../access.ts'
import type { ModelName, Scalars, UniqueKey } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import { identifier } from '../identifier.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import { tableOf } from '../table.ts'
import { type Fragment, fragments, type Template, textFragment, toSql } from './fragment.ts'

/** SQL beside a repository, only by tagged templates: what is put into them is a parameter or a fragment. */
export interface Sql<C, M> {
  /**
   * The rows of a query, typed by the caller: `` query<{ genre: string; films: bigint }>`SELECT … FROM ${table}` ``.
   * Values are as Prisma's `$queryRaw` returns them. Joins the ambient transaction; interceptors see `$queryRaw`, which may write.
   */
  query<Row extends object = Record<string, unknown>>(
    template: Template,
    ...values: readonly unknown[]
  ): Promise<Row[]>
  /** Runs a statement and tells how many rows it concerned. Interceptors see `$executeRaw`. */
  execute(template: Template, ...values: readonly unknown[]): Promise<number>
  /** The model's table, with its PostgreSQL schema where one is known. */
  readonly table: Fragment
  /** The column of a field. */
  column(field: keyof Scalars<C, M> & string): Fragment
  /** The columns of fields, each under the field's name: `"created_at" AS "createdAt"`. Default: of all. */
  columns(...fields: readonly (keyof Scalars<C, M> & string)[]): Fragment
}

/** Where names in SQL come from. */
export interface SqlSetup {
  /** The user's schema, for a repository on a plain client. Default: the metadata of the `Database`. */
  readonly metadata?: SchemaMetadata
}

/**
 * Adds SQL to a repository: `` const { query, table, column } = sql(films) ``. Its names come from the metadata.
 * @throws RepositoryError DB_REPOSITORY_CONFIG without metadata
 */
export function sql<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>, setup: SqlSetup = {}): Sql<C, M> {
  const { access, call } = repository['~inner']
  const model = access.binding.modelMetadata ?? setup.metadata?.models[access.model]
  if (!model) {
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `The metadata of ${access.model} is needed: give it to createDatabase, or as the option metadata`,
    )
  }
  const { database } = access.binding
  const columnOf = (field: string): string => {
    const column = Object.hasOwn(model.fields, field) ? model.fields[field]?.column : undefined
    if (column !== undefined) return column
    throw new RepositoryError('DB_REPOSITORY_ARGUMENT', `${access.model} has no column for ${field}`)
  }
  const all = Object.entries(model.fields).flatMap(([name, { kind, column }]) =>
    column !== undefined && (kind === 'scalar' || kind === 'enum') ? [name] : [],
  )
  const methods: Sql<C, M> = {
    query: (template, ...values) =>
      call({ action: 'sqlQuery', kind: 'unknown' }, [template, ...values], (given, ...rest) =>
        run(access, '$queryRaw', toSql(given, rest)),
      ) as Promise<never[]>,
    execute: (template, ...values) =>
      call({ action: 'sqlExecute', kind: 'write' }, [template, ...values], (given, ...rest) =>
        run(access, '$executeRaw', toSql(given, rest)),
      ) as Promise<number>,
    table: textFragment(database ? tableOf(model, database) : identifier(model.table)),
    column: (field) => textFragment(identifier(columnOf(field))),
    columns: (...fields) =>
      fragments(
        (fields.length === 0 ? all : fields).map((field) =>
          textFragment(`${identifier(columnOf(field))} AS ${identifier(field)}`),
        ),
      ),
  }
  return extraOf(repository, methods, (view) => sql(view, setup))
}

type Run = (sql: object) => PromiseLike<unknown>

async function run(
  { binding }: Access,
  action: '$queryRaw' | '$executeRaw',
  statement: object,
): Promise<unknown> {
  const { client, database, inTransaction } = binding
  try {
    return await (Reflect.get(client, action) as Run).call(client, statement)
  } catch (error) {
    // A `Database` classifies its errors itself.
    throw (database ? undefined : classify(error, { action, inTransaction: inTransaction() })) ?? error
  }
}
