import type { SchemaMetadata } from '@org/db-core'
import type {
  FindManyOptions,
  Id,
  ModelName,
  RelationArgs,
  RelationName,
  Row,
  Selection,
  UniqueKey,
  Without,
} from '../client-types.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import { metadataFor } from '../keyset/keyset.ts'
import type { KeysetOrder } from '../keyset/keyset-types.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact, Result, Unmapped } from '../repository-types.ts'
import { type Found, findByIds } from './by-ids.ts'
import { relationLoader } from './relation-loader.ts'
import { inOwnContext, streamRows } from './stream.ts'

/** What streams are made from. */
export interface LoadingSetup {
  /** The user's schema, for streams of a repository on a plain client. Default: the metadata of the `Database`. */
  readonly metadata?: SchemaMetadata
}

/** Which rows to stream, and what to return of each. */
export type StreamOptions<C, M> = Without<FindManyOptions<C, M>, 'orderBy' | 'skip' | 'take' | 'distinct'> & {
  /** As for keyset pages. Default: the primary key. */
  readonly orderBy?: KeysetOrder<C, M> | readonly KeysetOrder<C, M>[]
  /** Rows in memory at once. Default 500. */
  readonly batchSize?: number
  /** Ends the stream: it rejects with DB_CANCELLED; on a `Database` the running statement is cancelled on the server. */
  readonly signal?: AbortSignal
}

/** Ways to load many rows. */
export interface Loading<C, M extends string, Mapping, K> {
  /** The rows with these ids, in this order, and the ids that have none. */
  findByIds<A extends Unmapped<Mapping, Selection<C, M>>>(
    ids: readonly Id<C, M, K>[],
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Found<Result<C, M, Mapping, A>, Id<C, M, K>>>
  /**
   * A function that loads one relation of a row by the row's id; the calls of one tick become one query. Keep it and
   * call it for each row: `const items = loading(orders).relation('items'); await items(order.id)`. A row that is not
   * there has `null`.
   */
  relation<N extends RelationName<C, M>, A extends RelationArgs<C, M, N>>(
    name: N,
    args?: Exact<A, RelationArgs<C, M, N>>,
  ): (id: Id<C, M, K>) => Promise<Related<C, M, N, A> | null>
  /**
   * All rows of a list, however long, with one batch in memory: each batch is found by the values of the row before
   * it, so no transaction and no cursor is held open. Each row that is there throughout comes exactly once.
   */
  stream<A extends Unmapped<Mapping, StreamOptions<C, M>>>(
    options?: Exact<A, Unmapped<Mapping, StreamOptions<C, M>>>,
  ): AsyncGenerator<Result<C, M, Mapping, A>, void, undefined>
}

type Related<C, M, N extends string, A> =
  Row<C, M, { select: { [P in N]: A } }> extends infer R ? (N extends keyof R ? R[N] : never) : never

/** Adds ways to load many rows to a repository. */
export function loading<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>, setup: LoadingSetup = {}): Loading<C, M, Mapping, K> {
  const inner = repository['~inner']
  const { access, call } = inner
  const methods: Loading<C, M, Mapping, K> = {
    findByIds: (ids, options) =>
      call({ action: 'findByIds', kind: 'read' }, [ids, options], (given, selection) =>
        findByIds(access, given, selection),
      ) as Promise<never>,
    relation: (name, args) => relationLoader(inner, name, args) as () => Promise<never>,
    stream: (options) => inOwnContext(streamRows(inner, metadataFor(inner, setup.metadata), options)),
  }
  return extraOf(repository, methods, (view) => loading(view, setup))
}
