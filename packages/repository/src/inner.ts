import type { Operation } from '@org/db-core'
import type { Access } from './access.ts'

/** Where a repository keeps what the package's other entries need of it; the tilde ranks it last in editors. */
export const inner = '~inner'

/** A method that an extra adds to a repository, as interceptors see it. */
export interface ExtraMethod {
  readonly action: string
  readonly kind: Operation['kind']
}

/**
 * A repository from inside. Every extra is a function that takes a repository and returns an object of methods;
 * these run through `call`, so they pass the interceptors of `with` and use the client of `using` like own ones.
 */
export interface Inner<C, M, Mapping, K> {
  readonly access: Access
  readonly maxPageSize: number
  /** Runs `body` as a method of the repository; interceptors may change the arguments that it is given. */
  call<Args extends readonly unknown[], T>(
    method: ExtraMethod,
    args: readonly [...Args],
    body: (...args: Args) => Promise<T>,
  ): Promise<T>
  /** Prisma's data from what `create` takes, through mapper and hook; a promise where there is a hook. */
  toCreateData(input: unknown): object | Promise<object>
  /** Prisma's data from what `update` takes, through mapper and hook; a promise where there is a hook. */
  toUpdateData(id: unknown, input: unknown): object | Promise<object>
  /** Only for the types. */
  readonly types?: readonly [C, M, Mapping, K]
}

/** Any repository, for the inference of its types. */
export interface RepositoryLike<C, M, Mapping, K> {
  readonly '~inner': Inner<C, M, Mapping, K>
}
