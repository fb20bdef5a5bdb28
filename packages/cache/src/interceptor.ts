import { AsyncLocalStorage } from 'node:async_hooks'
import type {
  DbContext,
  Events,
  Interceptor,
  InterceptorHost,
  Next,
  Operation,
  SchemaMetadata,
} from '@org/db-core'
import { partyOf } from '@org/db-core/tenancy'
import type { Cache, CacheOptions } from './cache.ts'
import { openCache } from './create-cache.ts'
import { tagsOfModels, tagsOfRead } from './dependencies.ts'
import { CacheError, CacheOptionsError } from './errors.ts'
import type { CacheEvents, CacheMetrics } from './events.ts'
import { createInvalidator } from './invalidator.ts'
import { describedKey, hashOf, keyOf } from './key.ts'
import { asLoaded } from './limits.ts'
import { type ModelPolicy, modelProblems, modelsNamed, policiesByModel } from './model-policies.ts'
import { checked } from './option-problems.ts'
import { problemsOfInterceptor, problemsOfModelInvalidation } from './options.ts'
import type { Invalidation, Loading } from './types.ts'
import { createViewRegistry, type ViewRegistry } from './view-registry.ts'

/** How a whole client is cached. */
export interface CacheInterceptorOptions extends CacheOptions {
  /** Policies by model, `Film` or `film`; `*` for all that are not named; `false` for none. Default: nothing is cached. */
  readonly models?: Readonly<Record<string, ModelPolicy | false>>
  /**
   * What raw SQL voids: everything (`clear`), nothing (`ignore`), or the models that the function names; if it
   * throws, everything. A `SELECT` counts too, because functions can write. `db.sql` is not seen here. Default `clear`.
   */
  readonly raw?: 'clear' | 'ignore' | ((operation: Operation) => readonly string[])
  /** What a result depends on beside tenant and arguments, such as the actor's role under row-level security. */
  readonly varyBy?: (context: DbContext) => string
}

/** What is to be forgotten, models among it. */
export interface ModelInvalidation extends Invalidation {
  /** Everything that depends on these models, `Film` or `film`. */
  readonly models?: readonly string[]
}

/**
 * The cache of one client, to be handed to `createDatabase({ use: [cache(…)] })`. Several database objects can have
 * it only if they reach the same database in the same way; it ends with the last of them.
 */
export interface CacheInterceptor extends Interceptor {
  /**
   * Forgets, for changes that did not pass this client.
   * @throws CacheOptionsError for a model that the schema does not have; CacheError as `Cache.invalidate`
   */
  invalidate(what: ModelInvalidation): Promise<void>
  /** Runs reads ahead of those who will need them. */
  warm: Cache['warm']
  readonly events: Events<CacheEvents>
  metrics(): CacheMetrics
  /** What `withCache` builds on. */
  readonly '~inner': CacheInner
}

/** The parts that `withCache` shares with the client's cache. */
export interface CacheInner {
  readonly cache: Cache
  readonly varyBy: ((context: DbContext) => string) | undefined
  /** Which repositories are cached here. */
  readonly views: ViewRegistry
  /** @throws CacheError DB_CACHE_NOT_ATTACHED before `createDatabase` has got the interceptor */
  attached(): Attached
  isAttached(): boolean
  /** Whether an operation must go past the cache. */
  isBypassed(operation: Operation, tags: readonly string[]): boolean
  /**
   * Runs a method. If a replica, which may not have seen the latest writes, answers it, its result is not stored; if
   * it writes, it fails before it has, because next time it would not even run.
   */
  watch<T>(loading: Loading, work: () => Promise<T>): Promise<T>
}

/** What is known since `createDatabase` has got the cache. */
export interface Attached {
  readonly metadata: SchemaMetadata
  /** As `InterceptorHost.source`. */
  readonly source: string
  /** Part of each key: stands for the schema and the source. */
  readonly scope: string
}

/**
 * Caches reads of the whole client and voids what writes change, after they are committed and never before.
 * Inside transactions nothing is read from the cache. @throws CacheOptionsError naming every wrong field
 */
export function cache(options: CacheInterceptorOptions): CacheInterceptor {
  checked(problemsOfInterceptor(options))
  const { models = {}, raw = 'clear', varyBy, ...cacheOptions } = options
  const inner = openCache(cacheOptions, { describe: describedKey })
  const watched = new AsyncLocalStorage<Loading>()
  let isWatching = false
  let attachments = 0
  let isClosed = false
  let attached: Attached | undefined
  let policies = new Map<string, ModelPolicy>()
  const invalidator = createInvalidator({
    cache: inner,
    schema: () => known().metadata,
    policies: () => policies,
    raw,
    report: (error) => inner.report({ during: 'invalidate', error }),
  })

  function attach({ metadata, source, onClose }: InterceptorHost): void {
    if (metadata === undefined) {
      throw new CacheError(
        'DB_CACHE_METADATA',
        'The cache must know which models a query touches: hand `metadata` to createDatabase',
      )
    }
    const problem = isClosed ? closedProblem : attached && differenceOf(attached, { metadata, source })
    if (problem) throw new CacheOptionsError([{ field: 'use', problem }])
    checked(modelProblems(models, metadata))
    attached ??= { metadata, source, scope: hashOf([metadata.schemaHash, source]) }
    policies = policiesByModel(models, metadata)
    attachments++
    onClose(async () => {
      if (--attachments > 0) return
      isClosed = true
      invalidator.close()
      await inner.close()
    })
  }

  function known(): Attached {
    if (attached) return attached
    throw new CacheError(
      'DB_CACHE_NOT_ATTACHED',
      'This cache was not handed to createDatabase({ use: [...] })',
    )
  }

  function isBypassed(operation: Operation, tags: readonly string[]): boolean {
    const { inTransaction, onReplica, context } = operation
    if (inTransaction || onReplica) return true
    const party = partyOf(context)
    // What is read for no tenant is each time to be announced, and nobody else may see it.
    if (party !== undefined && 'system' in party) return true
    // A hook after COMMIT that runs before ours must see what was committed.
    return invalidator.isBeingCommitted(tags)
  }

  function read(operation: Operation, next: Next): Promise<unknown> {
    const watching = isWatching ? watched.getStore() : undefined
    if (operation.onReplica) watching?.doNotStore()
    // What a repository's method reads is kept with its result; kept here too, both lives would add up.
    if (watching) return next(operation)
    const policy = operation.model === undefined ? undefined : policies.get(operation.model)
    if (policy === undefined) return next(operation)
    const { metadata, scope } = known()
    const key = keyOf(operation, { scope, varyBy })
    if (key === undefined) return next(operation)
    const tags = tagsOfRead(operation, metadata)
    if (isBypassed(operation, tags)) return next(operation)
    const { affects: _, ...life } = policy
    return inner.read(key, { ...life, tags, load: () => next(asLoaded(operation)) })
  }

  function write(operation: Operation, next: Next): Promise<unknown> {
    const isWrite = operation.kind === 'write' || operation.action.startsWith('$executeRaw')
    if (isWatching && isWrite && watched.getStore()) return Promise.reject(writes(operation))
    return invalidator.write(operation, next)
  }

  return {
    name: 'cache',
    stage: 'cache',
    attach,
    intercept(operation, next) {
      if (operation.layer === 'repository') return next(operation)
      if (operation.kind === 'read') return read(operation, next)
      return operation.action === '$transaction'
        ? invalidator.transact(operation, next)
        : write(operation, next)
    },
    async invalidate(what) {
      checked(problemsOfModelInvalidation(what))
      const { models: names, tags = [], ...rest } = what
      const named = names && modelsNamed(names, { metadata: known().metadata, field: 'models' })
      await inner.invalidate({ ...rest, tags: named ? [...tags, ...tagsOfModels(named)] : tags })
    },
    warm: inner.warm,
    events: inner.events,
    metrics: inner.metrics,
    '~inner': {
      cache: inner,
      varyBy,
      views: createViewRegistry(),
      attached: known,
      isAttached: () => attached !== undefined,
      isBypassed,
      watch(loading, work) {
        isWatching = true
        return watched.run(loading, work)
      },
    },
  }
}

const closedProblem = 'this cache was closed with its database: make a new one for a new database'

function differenceOf(attached: Attached, other: Pick<Attached, 'metadata' | 'source'>): string | undefined {
  if (attached.metadata.schemaHash !== other.metadata.schemaHash) {
    return 'one cache can serve only clients of one schema'
  }
  if (attached.source === other.source) return undefined
  return 'one cache can serve only clients that reach one database in one way: same address, role, schema, tenants'
}

function writes({ model, action }: Operation): CacheError {
  return new CacheError(
    'DB_CACHE_WRITE_IN_READ',
    `A cached method called ${model === undefined ? action : `${model}.${action}`}: what writes can't be cached, since a hit would not write`,
  )
}
