import type { FindManyOptions, Id, ModelName, Selection, UniqueKey, Without } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact, Result, Unmapped, UpdateInput } from '../repository-types.ts'
import { type Lock, type LockMode, type LockWait, lockById } from './locks.ts'
import { type TakeArgs, takeRows } from './take.ts'
import { deleteVersion, updateVersion } from './versions.ts'

/** How rows of a repository are guarded. */
export interface LockingSetup {
  /** The Int field that counts the changes of a row. Default `version`. */
  readonly version?: string
}

/** What of a row to return once it is locked, and how to lock it. */
export type LockOptions<C, M> = Selection<C, M> & {
  /** Default `update`. */
  readonly mode?: LockMode
  /** Default `wait`. */
  readonly wait?: LockWait
}

/** Which rows to take, and how to lock them. */
export type TakeOptions<C, M> = Without<FindManyOptions<C, M>, 'skip' | 'take' | 'distinct'> & {
  /** Rows at most. */
  readonly limit: number
  /** Default `update`. */
  readonly mode?: LockMode
  /** Default `skip`, so that workers don't wait for each other. */
  readonly wait?: LockWait
}

/** Ways to change rows that others may change at the same time. */
export interface Locking<C, M extends string, Mapping, K> {
  /**
   * The row with this id, locked until the end of the transaction and read after that; `null` where there is none.
   * @throws RepositoryError DB_REPOSITORY_NO_TRANSACTION
   */
  findById<A extends Unmapped<Mapping, LockOptions<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, LockOptions<C, M>>>,
  ): Promise<Result<C, M, Mapping, A> | null>
  /**
   * Up to `limit` rows that nobody else holds, locked until the end of the transaction, in the given order: how workers
   * share a queue. @throws RepositoryError DB_REPOSITORY_NO_TRANSACTION
   */
  take<A extends Unmapped<Mapping, TakeOptions<C, M>>>(
    options: Exact<A, Unmapped<Mapping, TakeOptions<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>[]>
  /**
   * Changes the row if it still has the version that was read, and counts it up: one statement.
   * @throws VersionConflictError where it has another one; DatabaseError DB_NOT_FOUND where it is gone
   */
  update<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    version: number,
    data: UpdateInput<C, M, Mapping>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>>
  /** Deletes the row if it still has the version that was read. @throws as `update` */
  delete<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    version: number,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>>
}

type Locked = Partial<Lock>

/** Adds locks and versions to a repository. */
export function locking<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>, setup: LockingSetup = {}): Locking<C, M, Mapping, K> {
  const { version: field = 'version' } = setup
  const { access, call, toUpdateData } = repository['~inner']
  const checked = (): string => {
    const found = access.binding.modelMetadata?.fields[field]
    if (access.binding.modelMetadata === undefined || found?.type === 'Int') return field
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `${access.model} has no Int field ${field} to count changes`,
    )
  }
  const methods: Locking<C, M, Mapping, K> = {
    findById: (id, options) =>
      call({ action: 'lockById', kind: 'read' }, [id, options], (which, given) => {
        const { mode = 'update', wait = 'wait', ...selection } = (given ?? {}) as Locked
        return lockById(access, which, { mode, wait }, selection)
      }),
    take: (options) =>
      call({ action: 'take', kind: 'read' }, [options], (given) => {
        const { mode = 'update', wait = 'skip', ...wanted } = given as Locked & TakeArgs
        return takeRows(access, wanted, { mode, wait })
      }),
    update: (id, version, data, options) =>
      call(
        { action: 'updateVersion', kind: 'write' },
        [id, version, data, options],
        async (which, at, changes, given) =>
          updateVersion(
            access,
            { id: which, version: at, field: checked() },
            await toUpdateData(which, changes),
            given,
          ),
      ),
    delete: (id, version, options) =>
      call({ action: 'deleteVersion', kind: 'write' }, [id, version, options], async (which, at, given) =>
        deleteVersion(access, { id: which, version: at, field: checked() }, given),
      ),
  }
  return extraOf(repository, methods, (view) => locking(view, setup))
}
