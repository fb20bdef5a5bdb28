import type { ClientWith, CreateData, ModelName, Row, Selection, UpdateData } from './client-types.ts'

/** The way from rows to a domain type, and back for what is written. Made by `mapper`. */
export interface Mapper<Loaded, Domain, Create, Update> extends MapperLike {
  toDomain(row: Loaded): Domain
  toCreate?(input: Create): unknown
  toUpdate?(input: Update): unknown
}

/** Any mapper, as repositories take it. */
export interface MapperLike {
  /** What is read of each row; empty means all its scalar fields. */
  readonly load: object
  toDomain(row: never): unknown
  toCreate?(input: never): unknown
  toUpdate?(input: never): unknown
}

/** How rows of one model become a domain type. */
export interface Mapping<C, M extends string, Load, Domain, Create, Update> {
  /** What `toDomain` needs of a row: Prisma's `select`, `include` or `omit`. Default: all scalar fields. */
  readonly load?: Load
  /** Makes the domain object from a row. What it throws reaches the caller unchanged. */
  toDomain(row: Row<C, M, Load>): Domain
  /** Makes Prisma's data from what `create` takes. Default: `create` takes Prisma's data. */
  toCreate?(input: Create): CreateData<C, M>
  /** Makes Prisma's data from what `update` takes. Default: `update` takes Prisma's data. */
  toUpdate?(input: Update): UpdateData<C, M>
}

/**
 * Describes how rows of one model become a domain type and back; give it to a repository's option `mapper`.
 * The types come from the client, which is used for nothing else, so the mapper works with each client of it.
 */
export function mapper<
  C extends object,
  M extends ModelName<C>,
  Domain,
  const Load extends Selection<C, M> = Selection<C, M>,
  Create = CreateData<C, M>,
  Update = UpdateData<C, M>,
>(
  _client: C | ClientWith<C, M>,
  _model: M,
  mapping: Mapping<C, M, Load, Domain, Create, Update>,
): Mapper<Row<C, M, Load>, Domain, Create, Update> {
  return {
    load: mapping.load ?? {},
    toDomain: (row) => mapping.toDomain(row),
    ...(mapping.toCreate && { toCreate: mapping.toCreate.bind(mapping) }),
    ...(mapping.toUpdate && { toUpdate: mapping.toUpdate.bind(mapping) }),
  }
}
