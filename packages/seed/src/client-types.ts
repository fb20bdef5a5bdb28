import type { DatabaseMethods } from '@org/db-core/client'
import type { OperationPayload, Types } from '@prisma/client/runtime/client'

// Read off the client's type, through the symbol-keyed `types` that Prisma keeps on each model, so that nothing of a
// generated client is imported.

/** A database that `createDatabase` made with `metadata`; the client inside is the user's. */
export type SeedDatabase = DatabaseMethods<object>

/** The models of a client as its properties: `'film'` for the model `Film`. */
export type ModelName<Db> = ModelNameOf<Client<Db>>
type ModelNameOf<P> = {
  [M in keyof P]: P[M] extends { readonly findMany: unknown; readonly fields: unknown } ? M : never
}[keyof P] &
  string

/** What a row is loaded from: the scalar fields, as `createMany` takes them. */
export type RowInput<Db, M> = One<At<Types.Public.Args<At<Client<Db>, M>, 'createMany'>, 'data'>>

/** The scalar fields of a model and their types. */
export type Scalars<Db, M> = Payload<At<Client<Db>, M>>['scalars']

/** A name of a field that is a column. */
export type FieldName<Db, M> = keyof Scalars<Db, M> & string

type Client<Db> = Db extends { readonly $client: infer P extends object } ? P : never
type At<T, K> = K extends keyof T ? T[K] : never
type One<T> = T extends readonly (infer Each)[] ? Each : T
type Payload<D> = Types.Public.Payload<D> extends infer P extends OperationPayload ? P : never
