import type { Interceptor, Next, Operation } from '@org/db-core'
import { anyChange, modelsRead } from './dependencies.ts'
import type { CacheInterceptor } from './interceptor.ts'
import { keyOf } from './key.ts'
import { checked, unknownFields } from './option-problems.ts'
import { type CachePolicy, policyFields, problemsOfPolicy } from './policy.ts'

/** What is required of a repository: `with` puts an interceptor around its methods. */
export interface CacheableRepository {
  with(...interceptors: readonly Interceptor[]): this
}

/** How one method of a repository is cached. */
export interface MethodPolicy extends Partial<CachePolicy> {
  /** Models that its results depend on, beside the repository's own. Default: none. */
  readonly models?: readonly string[]
}

/** How a repository is cached. */
export interface WithCacheOptions<R> extends CachePolicy {
  /** The cache of the client behind the repository: it sees what is written, on whichever way. */
  readonly cache: CacheInterceptor
  /** Models that every result depends on, beside what arguments name, such as relations that a mapper loads. */
  readonly models?: readonly string[]
  /**
   * Own methods to be cached, `{ bySlug: {} }`, with what differs from the rest; `false` for a method that is not
   * to be. Default: the reading methods of `BaseRepository`.
   */
  readonly methods?: { readonly [Method in keyof R & string]?: MethodPolicy | false }
  /**
   * Write-through: after `create` and `update` outside of transactions the row is read again and stored before they
   * return, so that the next `findById` is a hit. It is read and not taken over, because only the database knows
   * which of two writers came last. Default `false`.
   */
  readonly writeThrough?: boolean
}

type Reader = Record<'findById', ((id: unknown) => Promise<unknown>) | undefined>

/**
 * The repository with its reads cached: results of whole methods, with what they compute. Inside transactions
 * nothing is read from the cache. @throws CacheOptionsError naming every wrong field
 */
export function withCache<R extends CacheableRepository>(repository: R, options: WithCacheOptions<R>): R {
  const { cache, models: always = [], methods = {}, writeThrough = false, ...policy } = options
  const declared = new Map(Object.entries(methods as Record<string, MethodPolicy | false>))
  checked([
    ...problemsOfPolicy(policy, ''),
    ...(typeof cache?.inner?.metadata === 'function'
      ? []
      : [{ field: 'cache', problem: 'must be made by cache()' }]),
    ...[...declared].flatMap(([name, own]) => [
      ...(typeof Reflect.get(repository, name) === 'function'
        ? []
        : [{ field: `methods.${name}`, problem: 'is no method of the repository' }]),
      ...(own ? unknownFields(own, ['models', ...policyFields], `methods.${name}.`) : []),
    ]),
  ])
  const { inner } = cache
  const view: R = repository.with({
    name: 'cache',
    stage: 'cache',
    intercept: (operation, next) => (isWrite(operation) ? write(operation, next) : read(operation, next)),
  })

  function read(operation: Operation, next: Next): Promise<unknown> {
    const own = declared.get(operation.action)
    const isCached = own ? true : own === undefined && operation.kind === 'read'
    if (!isCached || operation.model === undefined) return next(operation)
    const metadata = inner.metadata()
    const key = keyOf(operation, { schemaHash: metadata.schemaHash, varyBy: inner.varyBy })
    if (key === undefined) return next(operation)
    const { models: further = [], ...life } = own || {}
    const models = modelsRead({ model: operation.model, args: operation.args }, metadata)
    const tags = [...new Set([...models, ...always, ...further])].map(anyChange)
    if (inner.isBypassed(operation, tags)) return next(operation)
    return inner.cache.read(key, {
      ...policy,
      ...life,
      tags,
      load: (loading) => inner.watch(loading, () => next(operation)),
    })
  }

  async function write(operation: Operation, next: Next): Promise<unknown> {
    const result = await next(operation)
    if (!operation.inTransaction) await readAgain(idOf(operation, result))
    return result
  }

  async function readAgain(id: unknown): Promise<void> {
    if (id === undefined) return
    try {
      await (view as unknown as Reader).findById?.(id)
    } catch {
      // The write has succeeded; whoever reads next will ask the database itself.
    }
  }

  function isWrite({ action }: Operation): boolean {
    return writeThrough && (action === 'create' || action === 'update')
  }

  return view
}

function idOf({ action, args }: Operation, result: unknown): unknown {
  if (action === 'update') return (args as readonly unknown[])[0]
  return (result as { readonly id?: unknown } | null)?.id
}
