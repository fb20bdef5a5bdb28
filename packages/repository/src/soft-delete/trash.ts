import type { Interceptor } from '@org/db-core'
import type { Id, ModelName, Selection, UniqueKey } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact, Result, Unmapped } from '../repository-types.ts'
import { forceDelete, inMode, type Mode } from './mode.ts'
import { runAsRestore } from './soft-delete.ts'
import { isSoftened } from './softened.ts'

/** The deleted rows of one repository. */
export interface Trash<C, M extends string, Mapping, K, R> {
  /** The repository with deleted rows shown among the others. */
  readonly withDeleted: R
  /** The repository of the deleted rows alone. */
  readonly onlyDeleted: R
  /**
   * Brings a row back with all that was deleted with it and depends on it; what had been deleted before stays deleted.
   * @throws DatabaseError DB_NOT_FOUND where no such row is deleted, DB_UNIQUE_VIOLATION where a value is taken by now;
   * RepositoryError DB_REPOSITORY_SOFT_DELETE where what it belongs to is deleted itself
   */
  restore<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>>
  /** Takes a row away for good, deleted or not, as the database does it. @throws DatabaseError DB_NOT_FOUND */
  forceDelete<A extends Unmapped<Mapping, Selection<C, M>>>(
    id: Id<C, M, K>,
    options?: Exact<A, Unmapped<Mapping, Selection<C, M>>>,
  ): Promise<Result<C, M, Mapping, A>>
}

/** What views are made by. */
interface Viewable {
  with(...interceptors: readonly Interceptor[]): this
}

/**
 * Gives access to the deleted rows of a repository whose database uses `softDelete()`.
 * @throws RepositoryError DB_REPOSITORY_CONFIG where it does not, or leaves out the model: there deletions are final
 */
export function trash<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
  R extends Viewable,
>(repository: R & RepositoryLike<C, M, Mapping, K>): Trash<C, M, Mapping, K, R> {
  const { access, call } = repository['~inner']
  const { database, model } = access.binding
  if (!isSoftened(database, model)) {
    throw new RepositoryError(
      'DB_REPOSITORY_CONFIG',
      `${model} is not deleted softly: its database has no softDelete(), or that leaves it out`,
    )
  }
  const methods: Trash<C, M, Mapping, K, R> = {
    get withDeleted() {
      return repository.with(showing('with'))
    },
    get onlyDeleted() {
      return repository.with(showing('only'))
    },
    restore: (id, options) =>
      call({ action: 'restore', kind: 'write' }, [id, options], async (which, given) =>
        access.one(
          await runAsRestore(() =>
            access.perform('update', access.args(given, { ...access.key.argsFor(which), data: {} })),
          ),
        ),
      ),
    forceDelete: (id, options) =>
      call({ action: 'forceDelete', kind: 'write' }, [id, options], async (which, given) =>
        access.one(
          await forceDelete(() => access.perform('delete', access.args(given, access.key.argsFor(which)))),
        ),
      ),
  }
  return extraOf(repository, methods, (view) => trash(view))
}

function showing(mode: Mode): Interceptor {
  return {
    name: `deleted rows: ${mode}`,
    stage: 'observe',
    intercept: (operation, next) => next({ ...operation, context: inMode(operation.context, mode) }),
  }
}
