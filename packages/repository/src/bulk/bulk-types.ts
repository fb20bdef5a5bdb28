import type { CreateManyData, Row, UpdateManyData } from '../client-types.ts'
import type { Result } from '../repository-types.ts'

/** What every bulk method takes. */
export interface BulkOptions {
  /** Ends the work between two statements; what was written is rolled back. */
  readonly signal?: AbortSignal
  /** Told after each statement how many of all rows are done. */
  readonly onProgress?: (done: { readonly rows: number; readonly total: number }) => void
}

/** How rows are created. */
export interface CreateManyOptions extends BulkOptions {
  /** Leaves out rows whose key is taken already. Default `false`. */
  readonly skipDuplicates?: boolean
  /** Returns the rows as they are stored, in the order in which they were given. Default `false`. */
  readonly returning?: boolean
}

/** How rows are created or changed. */
export interface UpsertManyOptions<Field extends string> extends BulkOptions {
  /** The fields of the unique by which rows are found. Default: the repository's key. */
  readonly conflict?: readonly Field[]
  /**
   * The fields that a row which is there takes over, as far as its own new row gives them; `[]` for none. Default: all
   * but the key.
   */
  readonly merge?: readonly Field[]
}

/** One row to change. */
export interface BulkChange<I, Data> {
  readonly id: I
  /** Values, or `{ set: value }`. */
  readonly data: Data
}

/** What came of changes. */
export interface UpdateManyResult<I> {
  readonly count: number
  /** Ids that no row has. */
  readonly missing: readonly I[]
}

/** What came of an upsert; rows are in the order in which they were given. */
export interface UpsertManyResult<T> {
  readonly inserted: number
  readonly updated: number
  readonly rows: readonly { readonly row: T; readonly isNew: boolean }[]
}

/** A new row: the input of the mapper's `toCreate`, else Prisma's data without relations. */
export type CreateRow<C, M, Mapping> = [Mapping] extends [{ toCreate?(input: infer Input): unknown }]
  ? Input
  : CreateManyData<C, M>

/** New values of a row: the input of the mapper's `toUpdate`, else Prisma's data without relations. */
export type UpdateRow<C, M, Mapping> = [Mapping] extends [{ toUpdate?(input: infer Input): unknown }]
  ? Input
  : UpdateManyData<C, M>

/** Many rows at once, of one repository. */
export interface Bulk<C, M extends string, Mapping, Where, I> {
  /**
   * Stores rows as Prisma's `createMany` would, by COPY or one statement. Interceptors see it as that.
   * @throws RepositoryError DB_REPOSITORY_ARGUMENT for values that the fields can't have
   */
  createMany(
    rows: readonly CreateRow<C, M, Mapping>[],
    options?: CreateManyOptions & { readonly returning?: false },
  ): Promise<{ readonly count: number }>
  createMany(
    rows: readonly CreateRow<C, M, Mapping>[],
    options: CreateManyOptions & { readonly returning: true },
  ): Promise<Result<C, M, Mapping, unknown>[]>
  createMany(
    rows: readonly CreateRow<C, M, Mapping>[],
    options: CreateManyOptions,
  ): Promise<{ readonly count: number } | Result<C, M, Mapping, unknown>[]>
  /**
   * Gives each row values of its own, in one statement. Interceptors see an `update` for each row, which fails with
   * DB_NOT_FOUND where there is none.
   * @throws RepositoryError DB_REPOSITORY_ARGUMENT for nested writes, arithmetic, and a row that is given twice
   */
  updateMany(
    changes: readonly BulkChange<I, UpdateRow<C, M, Mapping>>[],
    options?: BulkOptions,
  ): Promise<UpdateManyResult<I>>
  /**
   * Stores rows, or merges them into those that have their key. Interceptors see an `upsert` for each row.
   * @throws RepositoryError DB_REPOSITORY_ARGUMENT for a row that is given twice, or without its key
   */
  upsertMany(
    rows: readonly CreateRow<C, M, Mapping>[],
    options?: UpsertManyOptions<keyof Row<C, M> & string>,
  ): Promise<UpsertManyResult<Result<C, M, Mapping, unknown>>>
  /**
   * Gives all rows that the filter lets pass the same values: a change of status. The hook `beforeUpdate` runs once,
   * without an id.
   */
  setMany(where: Where, data: UpdateRow<C, M, Mapping>): Promise<{ readonly count: number }>
  /** Deletes all rows that the filter lets pass. */
  deleteMany(where: Where): Promise<{ readonly count: number }>
}
