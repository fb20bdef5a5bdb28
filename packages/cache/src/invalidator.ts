import { AsyncLocalStorage } from 'node:async_hooks'
import type { Next, Operation, SchemaMetadata } from '@org/db-core'
import type { Cache } from './cache.ts'
import { anyChange, tagsOfModels, tagsOfWrite } from './dependencies.ts'
import { type ModelPolicy, modelsNamed } from './model-policies.ts'
import type { Invalidation } from './types.ts'

/** What writes are voided by. */
export interface InvalidatorOptions {
  readonly cache: Cache
  readonly schema: () => SchemaMetadata
  readonly policies: () => ReadonlyMap<string, ModelPolicy>
  readonly raw: 'clear' | 'ignore' | ((operation: Operation) => readonly string[])
  /** Takes what a function of the user threw. */
  readonly report: (error: unknown) => void
}

/** Voids what writes change, after they are committed and never before. */
export interface Invalidator {
  write(operation: Operation, next: Next): Promise<unknown>
  /** Around a whole outermost transaction. */
  transact(operation: Operation, next: Next): Promise<unknown>
  /** Whether the running code belongs to a transaction that has changed one of the tags and is not over. */
  isBeingCommitted(tags: readonly string[]): boolean
  /** Voids once more what may have happened. */
  close(): void
}

/** What one transaction or savepoint changed. */
interface Changes {
  readonly tags: Set<string>
  /** Of writes that have not been answered. */
  readonly open: Set<ReadonlySet<string>>
}

/** What a whole transaction changed, as long as its end is not known to all. */
interface Pending {
  readonly tags: Set<string>
  isOver: boolean
}

/** When what may have happened is voided again: the server may still be at it. */
const aftershocksMs: readonly number[] = [1_000, 5_000, 30_000]
/** Stands for every model. */
const everything = '*'

export function createInvalidator({ cache, schema, policies, raw, report }: InvalidatorOptions): Invalidator {
  const transactions = new AsyncLocalStorage<Pending>()
  const aftershocks = new Map<NodeJS.Timeout, Invalidation>()
  const changed = new WeakMap<object, Changes>()

  /** A write that has succeeded does not fail because of what comes after it. */
  async function forget(tags: ReadonlySet<string>): Promise<void> {
    try {
      await cache.invalidate(toInvalidation(tags))
    } catch {
      // The cache has reported it.
    }
  }

  async function write(operation: Operation, next: Next): Promise<unknown> {
    // Before it is sent: afterwards nothing of the user's may throw any more.
    const assumed = touched(operation)
    if (operation.inTransaction) return writeInTransaction(operation, { next, assumed })
    let result: unknown
    try {
      result = await next(operation)
    } catch (error) {
      if (mayHaveHappened(error)) await forgetInDoubt(assumed)
      throw error
    }
    await forget(known({ operation, assumed, result }))
    return result
  }

  async function writeInTransaction(
    operation: Operation,
    { next, assumed }: { readonly next: Next; readonly assumed: ReadonlySet<string> },
  ): Promise<unknown> {
    // Until its result says which row it was, a write counts as one of any row.
    const changes = changesOf(operation)
    changes?.open.add(assumed)
    try {
      const result = await next(operation)
      const tags = known({ operation, assumed, result })
      if (changes) for (const tag of tags) changes.tags.add(tag)
      // Nobody says when such a transaction ends.
      else await forgetInDoubt(tags)
      const pending = transactions.getStore()
      if (pending) for (const tag of tags) pending.tags.add(tag)
      return result
    } catch (error) {
      if (mayHaveHappened(error)) await forgetInDoubt(assumed)
      throw error
    } finally {
      changes?.open.delete(assumed)
    }
  }

  /** Now and again later: what may have happened may as well be happening only now. */
  async function forgetInDoubt(tags: ReadonlySet<string>): Promise<void> {
    for (const delayMs of aftershocksMs) {
      const timer = setTimeout(() => {
        aftershocks.delete(timer)
        void forget(tags)
      }, delayMs)
      timer.unref()
      aftershocks.set(timer, toInvalidation(tags))
    }
    await forget(tags)
  }

  /** What the transaction or savepoint of a write has changed so far; void after its COMMIT. */
  function changesOf({ transaction }: Operation): Changes | undefined {
    if (!transaction) return undefined
    const found = changed.get(transaction)
    if (found) return found
    const changes: Changes = { tags: new Set(), open: new Set() }
    changed.set(transaction, changes)
    transaction.afterCommit(() => {
      const open = [...changes.open].flatMap((tags) => [...tags])
      return forget(new Set([...changes.tags, ...open]))
    })
    return changes
  }

  /** What a write voids that is not known to be of one row. */
  function touched(operation: Operation): ReadonlySet<string> {
    return operation.model === undefined ? touchedByRaw(operation) : touchedInModels(operation, undefined)
  }

  /** The same when its result is there, which says which row it was. */
  function known({
    operation,
    assumed,
    result,
  }: {
    readonly operation: Operation
    readonly assumed: ReadonlySet<string>
    readonly result: unknown
  }): ReadonlySet<string> {
    return operation.model === undefined ? assumed : touchedInModels(operation, result)
  }

  function touchedInModels(operation: Operation, result: unknown): ReadonlySet<string> {
    const tags = new Set(tagsOfWrite(operation, { metadata: schema(), result }))
    for (const [model, { affects = [] }] of policies()) {
      if (tags.has(anyChange(model))) for (const tag of tagsOfModels(affects)) tags.add(tag)
    }
    return tags
  }

  function touchedByRaw(operation: Operation): ReadonlySet<string> {
    if (raw === 'ignore') return new Set()
    if (raw === 'clear') return new Set([everything])
    let names: readonly string[]
    try {
      names = raw(operation)
    } catch (error) {
      report(error)
      return new Set([everything])
    }
    return new Set(tagsOfModels(modelsNamed(names, { metadata: schema(), field: 'raw' })))
  }

  /** A transaction whose COMMIT was lost has no hooks: what it changed is void, in case it happened. */
  async function transact(operation: Operation, next: Next): Promise<unknown> {
    const pending: Pending = { tags: new Set(), isOver: false }
    try {
      return await transactions.run(pending, () => next(operation))
    } catch (error) {
      if (outcomeOf(error) === 'unknown') await forgetInDoubt(pending.tags)
      throw error
    } finally {
      pending.isOver = true
    }
  }

  return {
    write,
    transact,
    isBeingCommitted(tags) {
      const pending = transactions.getStore()
      if (pending === undefined || pending.isOver || pending.tags.size === 0) return false
      return pending.tags.has(everything) || tags.some((tag) => pending.tags.has(tag))
    },
    close() {
      for (const [timer, what] of aftershocks) {
        clearTimeout(timer)
        cache.invalidate(what).catch(() => {
          // The cache has reported it.
        })
      }
      aftershocks.clear()
    },
  }
}

function toInvalidation(tags: ReadonlySet<string>): Invalidation {
  return tags.has(everything) ? { everything: true } : { tags: [...tags] }
}

function outcomeOf(error: unknown): unknown {
  return (error as { outcome?: unknown } | undefined)?.outcome
}

/** Whether a write that failed may have changed something all the same. */
function mayHaveHappened(error: unknown): boolean {
  const outcome = outcomeOf(error)
  return outcome !== 'rolled-back' && outcome !== 'not-sent'
}
