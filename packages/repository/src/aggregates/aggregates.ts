import type { Types } from '@prisma/client/runtime/client'
import type { Access } from '../access.ts'
import type { Delegate, Id, ModelName, Row, Selection, UniqueKey } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact } from '../repository-types.ts'
import { byChunks, textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { checkStored } from '../stored.ts'

/** What Prisma's `aggregate` takes. */
type AggregateOptions<C, M> = Types.Public.Args<Delegate<C, M>, 'aggregate'>
/** What Prisma's `groupBy` takes. */
type GroupOptions<C, M> = Types.Public.Args<Delegate<C, M>, 'groupBy'>
/** Which relations to count, as under `_count` in a `select`: `true`, or a filter. */
type CountSelect<C, M> =
  NonNullable<PropertyOf<Selection<C, M>, 'select'>> extends infer S
    ? Exclude<NonNullable<PropertyOf<NonNullable<PropertyOf<S, '_count'>>, 'select'>>, boolean>
    : never
type PropertyOf<T, K> = T extends unknown ? (K extends keyof T ? T[K] : never) : never

/** Numbers about the rows of a model. */
export interface Aggregates<C, M extends string, K> {
  /**
   * Sums, averages, least and greatest values and counts of the rows that the filter lets pass, typed by what is asked
   * for: `aggregate({ where, _avg: { priceCents: true }, _count: true })`.
   */
  aggregate<A extends AggregateOptions<C, M>>(
    options: Exact<A, AggregateOptions<C, M>>,
  ): Promise<Types.Public.Result<Delegate<C, M>, A, 'aggregate'>>
  /** The same for each group of rows: `groupBy({ by: ['genre'], _count: true, having, orderBy })`. */
  groupBy<A extends GroupOptions<C, M>>(
    options: Exact<A, GroupOptions<C, M>>,
  ): Promise<Types.Public.Result<Delegate<C, M>, A, 'groupBy'>>
  /**
   * How many related rows each of these rows has, in the order of the ids, by one query; `null` for a row that is not
   * there: `relationCounts([1, 2], { items: true })`.
   */
  relationCounts<A extends CountSelect<C, M>>(
    ids: readonly Id<C, M, K>[],
    relations: Exact<A, CountSelect<C, M>>,
  ): Promise<(Counts<Row<C, M, { select: { _count: { select: A } } }>> | null)[]>
}

type Counts<R> = R extends { _count: infer N } ? N : never

/** Adds numbers about its rows to a repository. */
export function aggregates<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>): Aggregates<C, M, K> {
  const { access, call } = repository['~inner']
  const perform = (action: 'aggregate' | 'groupBy') => (options: unknown) =>
    call({ action, kind: 'read' }, [options], (given) =>
      access.perform(action, given as object),
    ) as Promise<never>
  const methods: Aggregates<C, M, K> = {
    aggregate: perform('aggregate'),
    groupBy: perform('groupBy'),
    relationCounts: (ids, relations) =>
      call({ action: 'relationCounts', kind: 'read' }, [ids, relations], (given, select) =>
        countRelations(access, given, select as object),
      ) as Promise<never>,
  }
  return extraOf(repository, methods, (view) => aggregates(view))
}

async function countRelations(access: Access, ids: readonly unknown[], select: object): Promise<unknown[]> {
  const { key, model } = access
  if (Object.values(select).every((wanted) => wanted === false || wanted === undefined)) {
    throw new RepositoryError('DB_REPOSITORY_ARGUMENT', `${model}.relationCounts was given no relation`)
  }
  checkStored(access, key.fields)
  for (const id of ids) key.argsFor(id)
  const fields = Object.fromEntries(key.fields.map((field) => [field, true]))
  const rows = (await byChunks(ids, key, (chunk) =>
    access.perform('findMany', {
      where: whereIds(chunk, access),
      select: { ...fields, _count: { select } },
    }),
  )) as readonly Readonly<Record<string, unknown>>[]
  const counts = new Map(rows.map((row) => [textOfRow(row, access), row._count]))
  return ids.map((id) => counts.get(textOfKey(valuesOfId(id, key), access)) ?? null)
}
