import type { Interceptor, Next, Operation } from '@org/db-core'
import { anyChange, modelsRead } from './dependencies.ts'
import { CacheOptionsError } from './errors.ts'
import type { Attached, CacheInterceptor } from './interceptor.ts'
import { hashOf, keyOf } from './key.ts'
import { asLoaded } from './limits.ts'
import { modelsNamed } from './model-policies.ts'
import { checked } from './option-problems.ts'
import { problemsOfView } from './options.ts'
import type { CachePolicy } from './policy.ts'

/** What is required of a repository: `with` puts an interceptor around its methods. */
export interface CacheableRepository {
  with(...interceptors: readonly Interceptor[]): this
}

/** How one method of a repository is cached. */
export interface MethodPolicy extends Partial<CachePolicy> {
  /** Models that its results depend on, `Film` or `film`, beside the repository's own. Default: none. */
  readonly models?: readonly string[]
}

/** The names of the methods of a repository. */
type MethodName<R> = {
  [Name in keyof R & string]: R[Name] extends (...args: never[]) => unknown ? Name : never
}[keyof R & string]

/** How a repository is cached. */
export interface WithCacheOptions<R> extends CachePolicy {
  /** The cache of the client behind the repository: it sees what is written, on whichever way. */
  readonly cache: CacheInterceptor
  /**
   * Tells repositories of one model apart whose methods return different things for the same arguments. Instances
   * of one class, key and name share their results, in all processes: so what methods return must depend on nothing
   * else that differs, such as a mapper or what the constructor was given. Required for a second instance.
   * Default: none; class and key tell repositories apart.
   */
  readonly name?: string
  /** Models that every result depends on, beside what arguments name, such as relations that a mapper loads. */
  readonly models?: readonly string[]
  /**
   * Own methods to be cached, `{ bySlug: {} }`, with what differs from the rest; `false` for a method that is not
   * to be. They must not write, which fails with DB_CACHE_WRITE_IN_READ. Default: the reading methods of
   * `BaseRepository`.
   */
  readonly methods?: { readonly [Method in MethodName<R>]?: MethodPolicy | false }
  /**
   * Write-through: after `create` and `update` outside of transactions the row is read again and stored before they
   * return, so that the next `findById` is a hit. It is read and not taken over, because only the database knows
   * which of two writers came last. Default `false`.
   */
  readonly writeThrough?: boolean
}

type Reader = Record<'findById', ((id: unknown) => Promise<unknown>) | undefined>

/** How one method is cached. */
interface Plan {
  readonly attached: Attached
  /** Part of its keys: the client, the repository, and what its results are said to depend on. */
  readonly scope: string
  /** Depended on whatever the arguments. */
  readonly models: readonly string[]
  readonly life: CachePolicy
}

/**
 * The repository with its reads cached: results of whole methods, with what they compute. Calls inside transactions,
 * and with `using` on another database, go past the cache.
 * @throws CacheOptionsError naming every wrong field; models that the schema does not have, with the first call
 */
export function withCache<R extends CacheableRepository>(repository: R, options: WithCacheOptions<R>): R {
  checked(problemsOfView(repository, options))
  const { cache, name, models: always = [], methods = {}, writeThrough = false, ...policy } = options
  const declared = new Map(Object.entries(methods as Record<string, MethodPolicy | false>))
  const inner = cache['~inner']
  const registered = inner.views.add({ repository, name })
  if ('problem' in registered) throw new CacheOptionsError([registered.problem])
  const { identity } = registered
  const plans = new Map<string, Plan>()
  const view: R = repository.with({
    name: 'cache',
    stage: 'cache',
    intercept: (operation, next) => (isWrite(operation) ? write(operation, next) : read(operation, next)),
  })

  function planOf(action: string): Plan {
    const known = plans.get(action)
    if (known) return known
    const attached = inner.attached()
    const { models: further = [], ...own } = declared.get(action) || {}
    const { metadata } = attached
    const models = [
      ...modelsNamed(always, { metadata, field: 'models' }),
      ...modelsNamed(further, { metadata, field: `methods.${action}.models` }),
    ]
    const scope = hashOf([attached.scope, identity, models])
    const plan: Plan = { attached, scope, models, life: { ...policy, ...own } }
    plans.set(action, plan)
    return plan
  }

  function read(operation: Operation, next: Next): Promise<unknown> {
    const { action, model } = operation
    const own = declared.get(action)
    const isCached = own ? true : own === undefined && operation.kind === 'read'
    if (!isCached || model === undefined) return next(operation)
    const { attached, scope, models, life } = planOf(action)
    if (operation.source !== attached.source) return next(operation)
    const key = keyOf(operation, { scope, varyBy: inner.varyBy })
    if (key === undefined) return next(operation)
    const found = modelsRead({ model, args: operation.args }, attached.metadata)
    const tags = [...new Set([...found, ...models])].map(anyChange)
    if (inner.isBypassed(operation, tags)) return next(operation)
    return inner.cache.read(key, {
      ...life,
      tags,
      load: (loading) => inner.watch(loading, () => next(asLoaded(operation))),
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

  // Otherwise each is checked when it is first called.
  if (inner.isAttached()) for (const action of ['findById', ...declared.keys()]) planOf(action)
  return view
}

function idOf({ action, args }: Operation, result: unknown): unknown {
  if (action === 'update') return (args as readonly unknown[])[0]
  return (result as { readonly id?: unknown } | null)?.id
}
