import type { Types } from '@prisma/client/runtime/client'
import type { CreateData, KeyOption, Row, Unselected, UpdateData } from './client-types.ts'
import type { MapperLike } from './mapper.ts'

/** `A` if it asks for nothing that `Options` does not know, at any depth. */
export type Exact<A, Options> = Types.Public.Exact<A, Options>

/** What a method returns of a row: the mapper's domain type, else what Prisma returns for the arguments. */
export type Result<C, M, Mapping, A> = [Mapping] extends [{ toDomain(row: never): infer Domain }]
  ? Domain
  : Row<C, M, A>

/** Options of a method; with a mapper, without `select`, `include` and `omit`. */
export type Unmapped<Mapping, Options> = [Mapping] extends [undefined] ? Options : Unselected<Options>

/** What `create` takes: the input of the mapper's `toCreate`, else Prisma's data. */
export type CreateInput<C, M, Mapping> = [Mapping] extends [{ toCreate?(input: infer Input): unknown }]
  ? Input
  : CreateData<C, M>

/** What `update` takes: the input of the mapper's `toUpdate`, else Prisma's data. */
export type UpdateInput<C, M, Mapping> = [Mapping] extends [{ toUpdate?(input: infer Input): unknown }]
  ? Input
  : UpdateData<C, M>

/** How a repository is set up. */
export interface RepositoryOptions<C, M, Mapping, K> {
  /**
   * The key that `findById`, `update` and `delete` go by: a unique field, or the fields of a compound key, as
   * `{ name, fields }` where the schema gives it a name. Default: the field `id` if it is unique, else the primary
   * key in the client's metadata.
   */
  readonly id?: KeyOption<C, M, K>
  /** Largest `pageSize` that `page` accepts. Default 100 rows. */
  readonly maxPageSize?: number
  /** `false` sends all lookups through Prisma, where a `Database` would answer them past it. Default `true`. */
  readonly fastPath?: boolean
  /** Maps rows to a domain type and back. Default: rows as Prisma returns them. */
  readonly mapper?: Mapping
}

/** The constructor's last argument; it can't be left out where a mapper is declared. */
export type RepositoryArguments<C, M, Mapping extends MapperLike | undefined, K> = [Mapping] extends [
  undefined,
]
  ? [options?: RepositoryOptions<C, M, Mapping, K>]
  : [options: RepositoryOptions<C, M, Mapping, K> & { readonly mapper: Mapping }]
