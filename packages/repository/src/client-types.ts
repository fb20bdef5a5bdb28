import type { OperationPayload, Types } from '@prisma/client/runtime/client'

// Everything is read off the client's type, through the symbol-keyed `types` that Prisma keeps on each model.
// Nothing of a generated client is imported, so extended and transaction clients are served as well.

/** The Prisma client inside: a `Database` of `@org/db-core` holds it in `$client`. */
type PlainClient<C> = C extends { readonly $client: infer P extends object } ? P : C

/** The models of a client as its properties: `'film'` for the model `Film`. */
export type ModelName<C> = ModelNameOf<PlainClient<C>>
type ModelNameOf<P> = {
  [M in keyof P]: P[M] extends { readonly findMany: unknown; readonly fields: unknown } ? M : never
}[keyof P] &
  string

/** Prisma's own object for one model, `db.film`. */
export type Delegate<C, M> = At<PlainClient<C>, M>

/** A client that has the model: the one that the repository was declared with, or a transaction of it. */
export type ClientWith<C, M extends string> = { readonly [P in M]: Delegate<C, M> }

type At<T, K> = K extends keyof T ? T[K] : never
type Args<C, M, Action extends Types.Public.Operation> = Types.Public.Args<Delegate<C, M>, Action>
type Only<T, K> = { [P in keyof T as P extends K ? P : never]: T[P] }
/** `Omit` that keeps each property's modifiers, for arguments of generic clients. */
export type Without<T, K> = { [P in keyof T as P extends K ? never : P]: T[P] }

/** What of a row, and which relations with it, to return: Prisma's `select`, `include` and `omit`. */
export type Selection<C, M> = Only<Args<C, M, 'findUnique'>, SelectionKey>
type SelectionKey = 'select' | 'include' | 'omit'

/** Prisma's filter of the model. */
export type Where<C, M> = NonNullable<At<Args<C, M, 'findFirst'>, 'where'>>

/** What Prisma creates a row from. */
export type CreateData<C, M> = At<Args<C, M, 'create'>, 'data'>

/** What Prisma changes a row by. */
export type UpdateData<C, M> = At<Args<C, M, 'update'>, 'data'>

/** What Prisma creates one of many rows from: columns alone. */
export type CreateManyData<C, M> = Exclude<
  NonNullable<At<Args<C, M, 'createMany'>, 'data'>>,
  readonly unknown[]
>

/** What Prisma changes one of many rows by: columns alone. */
export type UpdateManyData<C, M> = At<Args<C, M, 'updateMany'>, 'data'>

/** Filter, order and window of a list, and what to return of each row. */
export type FindManyOptions<C, M> = Without<Args<C, M, 'findMany'>, 'cursor'>

/** Filter and order of the one row wanted, and what to return of it. */
export type FindFirstOptions<C, M> = Without<Args<C, M, 'findFirst'>, 'cursor' | 'take' | 'distinct'>

/** Which page, of which rows, in which order, and what to return of each row. */
export type PageOptions<C, M> = Without<FindManyOptions<C, M>, 'skip' | 'take' | 'distinct'> & PageNumber

interface PageNumber {
  /** Default 1, the first. */
  readonly page?: number
  /** Rows on a page; at most the repository's `maxPageSize`. Default 20. */
  readonly pageSize?: number
}

/** A list's options without the selection, which a mapper has settled. */
export type Unselected<Options> = Without<Options, SelectionKey> & { readonly [P in SelectionKey]?: never }

/** A row as Prisma returns it for these arguments; all scalar fields without any. */
export type Row<C, M, A = unknown> = Types.Result.GetResult<
  Payload<Delegate<C, M>>,
  A,
  'findUniqueOrThrow',
  GlobalOmit<PlainClient<C>>
>

/** The scalar fields of a model and their types. */
export type Scalars<C, M> = Payload<Delegate<C, M>>['scalars']

/** The relations of a model. */
export type RelationName<C, M> = keyof Payload<Delegate<C, M>>['objects'] & string

/** What of a relation to load: Prisma's arguments of it in a `select`. */
export type RelationArgs<C, M, N> = Exclude<
  NonNullable<At<NonNullable<At<Selection<C, M>, 'select'>>, N>>,
  boolean
>

type Payload<D> = Types.Public.Payload<D> extends infer P extends OperationPayload ? P : never

/** The `omit` that the client was made with, so that a field left out everywhere is missing in our types, too. */
type GlobalOmit<P> = P extends {
  $extends: Types.Extensions.ExtendsHook<infer _Variant, infer _Callback, infer _Extensions, infer TypeMap>
}
  ? At<TypeMap, 'globalOmitOptions'>
  : unknown

type UniqueWhere<C, M> = At<Args<C, M, 'findUnique'>, 'where'>
type RequiredKey<T> = T extends unknown
  ? { [K in keyof T]-?: object extends Pick<T, K> ? never : K }[keyof T]
  : never

/** What identifies one row, as Prisma names it in `where`: unique fields and compound keys (`userId_teamCode`). */
export type UniqueKey<C, M> = RequiredKey<UniqueWhere<C, M>> & string

/** The key that a repository uses unless it is told another: `id`, else the only unique there is. */
export type DefaultKey<C, M> = 'id' extends UniqueKey<C, M> ? 'id' : UniqueKey<C, M>

/** The value of the key: that of the field, or `{ userId, teamCode }` for a compound one. */
export type Id<C, M, K = DefaultKey<C, M>> = ValueAt<UniqueWhere<C, M>, K>
type ValueAt<T, K> = T extends unknown ? (K extends keyof T ? NonNullable<T[K]> : never) : never

/** How a constructor names a key: a field, or the fields of a compound key, with its name if it has its own. */
export type KeyOption<C, M, K> = K extends keyof Payload<Delegate<C, M>>['scalars']
  ? K
  : CompoundKeyOption<K, keyof Id<C, M, K>>
type CompoundKeyOption<K, Field> = readonly Field[] | { readonly name: K; readonly fields: readonly Field[] }
