import type { Id, ModelName, UniqueKey, Where } from '../client-types.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Bulk, BulkOptions, CreateManyOptions, UpsertManyOptions } from './bulk-types.ts'
import { createMany } from './create-many.ts'
import { type AnyInner, refusal, targetOf } from './target.ts'
import { type GivenChange, updateMany } from './update-many.ts'
import { upsertMany } from './upsert-many.ts'

/**
 * Adds bulk methods to a repository: `await bulk(films).createMany(rows)`. They join the ambient transaction, run the
 * repository's hooks for each row, and pass interceptors with every row.
 * @throws RepositoryError DB_REPOSITORY_CONFIG on a plain client, and without metadata
 */
export function bulk<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>): Bulk<C, M, Mapping, Where<C, M>, Id<C, M, K>> {
  const inner = repository['~inner'] as AnyInner
  targetOf(inner)
  const call = <T>(
    action: string,
    args: readonly unknown[],
    body: (...args: never[]) => Promise<T>,
  ): Promise<never> => inner.call({ action, kind: 'write' }, args, body as never) as Promise<never>
  const methods: Bulk<C, M, Mapping, Where<C, M>, Id<C, M, K>> = {
    createMany: (rows: unknown, options?: CreateManyOptions) =>
      call('createMany', [rows, options], (given: readonly unknown[], how?: CreateManyOptions) =>
        createMany(inner, given, how ?? {}),
      ),
    updateMany: (changes, options) =>
      call('updateMany', [changes, options], (given: readonly GivenChange[], how?: BulkOptions) =>
        updateMany(inner, given, how ?? {}),
      ),
    upsertMany: (rows, options) =>
      call('upsertMany', [rows, options], (given: readonly unknown[], how?: UpsertManyOptions<string>) =>
        upsertMany(inner, given, how ?? {}),
      ),
    setMany: (where, data) =>
      call('setMany', [where, data], async (filter: object, values: object) => {
        checkFilter(inner, filter, 'setMany')
        const row = await inner.toUpdateData(undefined, values)
        return Reflect.apply(delegateMethod(inner, 'updateMany'), undefined, [{ where: filter, data: row }])
      }),
    deleteMany: (where) =>
      call('deleteMany', [where], async (filter: object) => {
        checkFilter(inner, filter, 'deleteMany')
        return Reflect.apply(delegateMethod(inner, 'deleteMany'), undefined, [{ where: filter }])
      }),
  }
  return extraOf(repository, methods, (view) => bulk(view))
}

type Method = (args: object) => Promise<unknown>

function delegateMethod({ access }: AnyInner, name: string): Method {
  const { delegate } = access.binding
  return (Reflect.get(delegate, name) as Method).bind(delegate)
}

/** Without this check a forgotten filter would mean all rows. */
function checkFilter(inner: AnyInner, where: unknown, method: string): void {
  if (where === undefined) throw refusal(targetOf(inner), `${method} was given no filter`)
}
