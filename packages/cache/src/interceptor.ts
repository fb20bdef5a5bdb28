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
import { type Cache, type CacheOptions, createCache } from './create-cache.ts'
import { anyChange, tagsOfModels, tagsOfRead, tagsOfWrite } from './dependencies.ts'
import { CacheError } from './errors.ts'
import type { CacheEvents, CacheMetrics } from './events.ts'
import { keyOf } from './key.ts'
import { modelProblems, policiesByModel, policyProblems } from './model-policies.ts'
import { checked } from './option-problems.ts'
import type { CachePolicy } from './policy.ts'
import type { Invalidation, Loading } from './types.ts'

/** How reads of one model are cached. */
export interface ModelPolicy extends CachePolicy {
  /** Models that the database changes by itself when this one changes: by triggers, as views. Default: none. */
  readonly affects?: readonly string[]
}

/** How a whole client is cached. */
export interface CacheInterceptorOptions extends CacheOptions {
  /** Policies by model, `Film` or `film`; `*` for all that are not named; `false` for none. Default: nothing is cached. */
  readonly models?: Readonly<Record<string, ModelPolicy | false>>
  /**
   * What raw SQL voids: everything (`clear`), nothing (`ignore`), or the models that the function names.
   * A `SELECT` counts too, because functions can write. `db.sql` is not seen here. Default `clear`.
   */
  readonly raw?: 'clear' | 'ignore' | ((operation: Operation) => readonly string[])
  /** What a result depends on beside tenant and arguments, such as the actor's role under row-level security. */
  readonly varyBy?: (context: DbContext) => string
}

/** What is to be forgotten, models among it. */
export interface ModelInvalidation extends Invalidation {
  /** Everything that depends on these models. */
  readonly models?: readonly string[]
}

/** The cache of one client, to be handed to `createDatabase({ use: [cache(…)] })`. */
export interface CacheInterceptor extends Interceptor {
  /** Forgets, for changes that did not pass this client. */
  invalidate(what: ModelInvalidation): Promise<void>
  /** Runs reads ahead of those who will need them. */
  warm: Cache['warm']
  readonly events: Events<CacheEvents>
  metrics(): CacheMetrics
  /** What `withCache` builds on. */
  readonly inner: CacheInner
}

/** The parts that `withCache` shares with the client's cache. */
export interface CacheInner {
  readonly cache: Cache
  readonly varyBy: ((context: DbContext) => string) | undefined
  /** @throws CacheError DB_CACHE_NOT_ATTACHED before `createDatabase` has got the interceptor */
  metadata(): SchemaMetadata
  /** Whether an operation must go past the cache. */
  isBypassed(operation: Operation, tags: readonly string[]): boolean
  /** Runs a method; if a replica, which may not have seen the latest writes, answers it, its result is not stored. */
  watch<T>(loading: Loading, work: () => Promise<T>): Promise<T>
}

/** What one transaction or savepoint changed. */
interface Changes {
  readonly tags: Set<string>
  /** Of writes that have not been answered. */
  readonly open: Set<ReadonlySet<string>>
}

/** When what may have happened is voided again: the server may still be at it. */
const aftershocksMs: readonly number[] = [1_000, 5_000, 30_000]

/** What a whole transaction changed, as long as its end is not known to all. */
interface Pending {
  readonly tags: Set<string>
  isOver: boolean
}

/**
 * Caches reads of the whole client and voids what writes change, after they are committed and never before.
 * Inside transactions nothing is read from the cache. @throws CacheOptionsError naming every wrong field
 */
export function cache(options: CacheInterceptorOptions): CacheInterceptor {
  const { models = {}, raw = 'clear', varyBy, ...cacheOptions } = options
  checked(policyProblems(models, raw))
  const inner = createCache(cacheOptions)
  const transactions = new AsyncLocalStorage<Pending>()
  const watched = new AsyncLocalStorage<Loading>()
  const timers = new Set<NodeJS.Timeout>()
  const changed = new WeakMap<object, Changes>()
  let metadata: SchemaMetadata | undefined
  let policies = new Map<string, ModelPolicy>()

  function attach(host: InterceptorHost): void {
    if (host.metadata === undefined) {
      throw new CacheError(
        'DB_CACHE_METADATA',
        'The cache must know which models a query touches: hand `metadata` to createDatabase',
      )
    }
    if (metadata !== undefined && metadata.schemaHash !== host.metadata.schemaHash) {
      checked([{ field: 'use', problem: 'one cache can serve only clients of one schema' }])
    }
    checked(modelProblems(models, host.metadata))
    metadata = host.metadata
    policies = policiesByModel(models, metadata)
    host.onClose(() => {
      for (const timer of timers) clearTimeout(timer)
      return inner.close()
    })
  }

  function known(): SchemaMetadata {
    if (metadata) return metadata
    throw new CacheError(
      'DB_CACHE_NOT_ATTACHED',
      'This cache was not handed to createDatabase({ use: [...] })',
    )
  }

  function isBeingCommitted(tags: readonly string[]): boolean {
    const pending = transactions.getStore()
    if (pending === undefined || pending.isOver || pending.tags.size === 0) return false
    return pending.tags.has('*') || tags.some((tag) => pending.tags.has(tag))
  }

  function isBypassed(operation: Operation, tags: readonly string[]): boolean {
    const { inTransaction, onReplica, context } = operation
    if (inTransaction || onReplica) return true
    const party = partyOf(context)
    // What is read for no tenant is each time to be announced, and nobody else may see it.
    if (party !== undefined && 'system' in party) return true
    // A hook after COMMIT that runs before ours must see what was committed.
    return isBeingCommitted(tags)
  }

  function read(operation: Operation, next: Next): Promise<unknown> {
    if (operation.onReplica) watched.getStore()?.doNotStore()
    const policy = operation.model === undefined ? undefined : policies.get(operation.model)
    if (policy === undefined) return next(operation)
    const schema = known()
    const key = keyOf(operation, { schemaHash: schema.schemaHash, varyBy })
    if (key === undefined) return next(operation)
    const tags = tagsOfRead(operation, schema)
    if (isBypassed(operation, tags)) return next(operation)
    const { affects: _, ...life } = policy
    return inner.read(key, { ...life, tags, load: () => next(operation) })
  }

  async function write(operation: Operation, next: Next): Promise<unknown> {
    if (operation.inTransaction) return writeInTransaction(operation, next)
    let result: unknown
    try {
      result = await next(operation)
    } catch (error) {
      if (mayHaveHappened(error)) await invalidateInDoubt(touched(operation))
      throw error
    }
    await inner.invalidate(toInvalidation(touched(operation, result)))
    return result
  }

  async function writeInTransaction(operation: Operation, next: Next): Promise<unknown> {
    // Until its result says which row it was, a write counts as one of any row.
    const assumed = touched(operation)
    const changes = changesOf(operation)
    changes?.open.add(assumed)
    try {
      const result = await next(operation)
      const tags = touched(operation, result)
      if (changes) for (const tag of tags) changes.tags.add(tag)
      // Nobody says when such a transaction ends.
      else await invalidateInDoubt(tags)
      note(tags)
      return result
    } catch (error) {
      if (mayHaveHappened(error)) await invalidateInDoubt(assumed)
      throw error
    } finally {
      changes?.open.delete(assumed)
    }
  }

  /** Now and again later: what may have happened may as well be happening only now. */
  async function invalidateInDoubt(tags: ReadonlySet<string>): Promise<void> {
    const what = toInvalidation(tags)
    for (const delayMs of aftershocksMs) {
      const timer = setTimeout(() => {
        timers.delete(timer)
        void inner.invalidate(what)
      }, delayMs)
      timer.unref()
      timers.add(timer)
    }
    await inner.invalidate(what)
  }

  /** What the transaction or savepoint of a write has changed so far; void after its COMMIT. */
  function changesOf({ transaction }: Operation): Changes | undefined {
    if (!transaction) return undefined
    const known = changed.get(transaction)
    if (known) return known
    const changes: Changes = { tags: new Set(), open: new Set() }
    changed.set(transaction, changes)
    transaction.afterCommit(() => {
      const open = [...changes.open].flatMap((tags) => [...tags])
      return inner.invalidate(toInvalidation(new Set([...changes.tags, ...open])))
    })
    return changes
  }

  function note(tags: ReadonlySet<string>): void {
    const pending = transactions.getStore()
    if (pending) for (const tag of tags) pending.tags.add(tag)
  }

  /** `*` stands for everything. */
  function touched(operation: Operation, result?: unknown): ReadonlySet<string> {
    const schema = known()
    if (operation.model === undefined) {
      if (raw === 'ignore') return new Set()
      return new Set(raw === 'clear' ? ['*'] : tagsOfModels(raw(operation)))
    }
    const tags = new Set(tagsOfWrite(operation, { metadata: schema, result }))
    for (const [model, { affects = [] }] of policies) {
      if (tags.has(anyChange(model))) for (const tag of tagsOfModels(affects)) tags.add(tag)
    }
    return tags
  }

  /** A transaction whose COMMIT was lost has no hooks: what it changed is void, in case it happened. */
  async function transact(operation: Operation, next: Next): Promise<unknown> {
    const pending: Pending = { tags: new Set(), isOver: false }
    try {
      return await transactions.run(pending, () => next(operation))
    } catch (error) {
      if (outcomeOf(error) === 'unknown') await invalidateInDoubt(pending.tags)
      throw error
    } finally {
      pending.isOver = true
    }
  }

  return {
    name: 'cache',
    stage: 'cache',
    attach,
    intercept(operation, next) {
      if (operation.layer === 'repository') return next(operation)
      if (operation.kind === 'read') return read(operation, next)
      return operation.action === '$transaction' ? transact(operation, next) : write(operation, next)
    },
    invalidate({ models: names, tags = [], ...rest }) {
      return inner.invalidate({ ...rest, tags: names ? [...tags, ...tagsOfModels(names)] : tags })
    },
    warm: inner.warm,
    events: inner.events,
    metrics: inner.metrics,
    inner: {
      cache: inner,
      varyBy,
      metadata: known,
      isBypassed,
      watch: (loading, work) => watched.run(loading, work),
    },
  }
}

/** `*` stands for everything. */
function toInvalidation(tags: ReadonlySet<string>): Invalidation {
  return tags.has('*') ? { everything: true } : { tags: [...tags] }
}

function outcomeOf(error: unknown): unknown {
  return (error as { outcome?: unknown } | undefined)?.outcome
}

/** Whether a write that failed may have changed something all the same. */
function mayHaveHappened(error: unknown): boolean {
  const outcome = outcomeOf(error)
  return outcome !== 'rolled-back' && outcome !== 'not-sent'
}
