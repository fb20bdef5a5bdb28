import type { Interceptor, Next, Operation, SchemaMetadata } from '@org/db-core'
import { partyOf } from '@org/db-core/tenancy'
import { fits, rowKey } from './change-fit.ts'
import type { Codec } from './codec.ts'
import { isDecimalLike } from './copy.ts'
import { CacheError } from './errors.ts'
import type { CacheableRepository } from './with-cache.ts'
import type { ChangeBody } from './write-behind.ts'
import type { WriteQueue } from './write-queue.ts'

/** The methods of a repository that a write-behind calls itself. */
export interface Repository {
  findById(id: unknown, options?: unknown): Promise<object | null>
  update(id: unknown, data: unknown): Promise<unknown>
}

/** What a view of a repository is made from. */
export interface BehindViewOptions<R> {
  readonly name: string
  readonly repository: R
  readonly queue: WriteQueue
  readonly codec: Codec
  readonly metadata: SchemaMetadata | undefined
  readonly isClosed: () => boolean
  readonly flush: () => Promise<void>
  /** Takes what callers are not told. */
  readonly report: (error: unknown) => void
}

/** What can be seen of a `BaseRepository`. */
interface Inside {
  readonly access?: { readonly key?: { readonly fields?: readonly string[] } }
}

/** The repository as its users see it: updates wait in the queue, and lookups show what waits. */
export function createBehindView<R extends CacheableRepository>(options: BehindViewOptions<R>): R {
  const { name, repository, queue, codec, metadata, isClosed, flush, report } = options
  const { access } = (Reflect.get(repository, '~inner') ?? {}) as Inside

  const interceptor: Interceptor = {
    name: 'write-behind',
    // Outside of the cache, which holds rows as they are stored; inside of validation, which refuses at once.
    stage: 'encrypt',
    intercept(operation, next) {
      const { action, kind, inTransaction } = operation
      if (inTransaction) return inside(operation, next)
      if (action === 'findById' || action === 'findByIdOrThrow') return lookUp(operation, next)
      if (kind === 'read') return next(operation)
      return isPlainUpdate(operation) ? update(operation, next) : afterAll(operation, next)
    },
  }
  const view = repository.with(interceptor)

  async function lookUp(operation: Operation, next: Next): Promise<unknown> {
    const key = keyOf(operation)
    // Before the row: what is written in between is then in the row.
    const waiting = key === undefined ? [] : await waitingFor(key)
    const row = await next(operation)
    if (waiting.length === 0 || typeof row !== 'object' || row === null) return row
    return waiting.reduce<object>(
      (shown, body) => withChange(shown, (codec.decode(Buffer.from(body)) as ChangeBody).data),
      row,
    )
  }

  /** While the queue does not answer, the row is shown as it is stored. */
  async function waitingFor(key: string): Promise<readonly string[]> {
    try {
      return await queue.pending(name, key)
    } catch (error) {
      report(error)
      return []
    }
  }

  async function update(operation: Operation, next: Next): Promise<unknown> {
    const [id, given, selection] = operation.args as readonly [unknown, Record<string, unknown>, unknown]
    const data = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const { tenant, actor, requestId } = operation.context
    const key = keyOf(operation)
    if (key === undefined || isForNoTenant(operation)) return afterAll(operation, next)
    const row = await (view as unknown as Repository).findById(id, selection)
    // It is the repository that knows what to say about a row that is not there, and about values that don't fit.
    if (row === null || !fits(data, { metadata, model: operation.model, row }))
      return afterAll(operation, next)
    const context = {
      ...(tenant !== undefined && { tenant }),
      ...(actor !== undefined && { actor }),
      ...(requestId !== undefined && { requestId }),
    }
    const body: ChangeBody = { repository: name, id, data, context }
    const isTaken = await put(key, codec.encode(body).toString())
    return isTaken ? withChange(row, data) : afterAll(operation, next)
  }

  async function put(key: string, body: string): Promise<boolean> {
    if (isClosed()) throw closed()
    try {
      return await queue.put(name, { key, body })
    } catch (cause) {
      const message = 'It is not known whether the queue has taken the change'
      throw new CacheError('DB_CACHE_WRITE_BEHIND', message, { cause, retryable: true })
    }
  }

  /** What was accepted before it is also written before it. */
  async function afterAll(operation: Operation, next: Next): Promise<unknown> {
    if (operation.kind === 'write' && isClosed()) throw closed()
    await flush()
    return next(operation)
  }

  /** What waits can't be written in the transaction, and later it would overwrite what that has stored. */
  async function inside(operation: Operation, next: Next): Promise<unknown> {
    const { action } = operation
    if (action !== 'update' && action !== 'delete') return next(operation)
    const key = keyOf(operation)
    let waits = true
    try {
      waits = key === undefined ? await isAnythingWaiting() : (await queue.pending(name, key)).length > 0
    } catch (cause) {
      const message = `The queue does not say whether a change waits for what ${action} is to write`
      throw new CacheError('DB_CACHE_WRITE_BEHIND', message, { cause, retryable: true })
    }
    if (!waits) return next(operation)
    throw new CacheError(
      'DB_CACHE_WRITE_BEHIND',
      `A change waits for the row that ${action} is to write, and would overwrite it later: call flush() before the transaction`,
      { retryable: true },
    )
  }

  async function isAnythingWaiting(): Promise<boolean> {
    return (await queue.oldest(name, 1)).writes.length > 0
  }

  function keyOf({ args, model = '', context }: Operation): string | undefined {
    const [id] = args as readonly unknown[]
    const known = { model: metadata?.models[model], fields: access?.key?.fields ?? [] }
    const row = rowKey(id, known)
    return row === undefined ? undefined : JSON.stringify([context.tenant ?? null, row])
  }

  return view
}

/** It would be written for nobody, who may see no rows: such a change does not wait. */
function isForNoTenant({ context }: Operation): boolean {
  const party = partyOf(context)
  return party !== undefined && 'system' in party
}

function closed(): CacheError {
  return new CacheError('DB_CACHE_WRITE_BEHIND', 'The write-behind is closed and takes no more changes')
}

function withChange(row: object, data: Readonly<Record<string, unknown>>): object {
  const known = Object.entries(data).filter(([field, value]) => value !== undefined && field in row)
  return { ...row, ...Object.fromEntries(known) }
}

/** Whether the new values are all there, so that the row can be shown and the change be repeated. */
function isPlainUpdate({ action, args }: Operation): boolean {
  const [, data] = args as readonly unknown[]
  return (
    action === 'update' && typeof data === 'object' && data !== null && Object.values(data).every(isPlain)
  )
}

function isPlain(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return typeof value !== 'function'
  if (Array.isArray(value)) return value.every(isPlain)
  return value instanceof Date || value instanceof Uint8Array || isDecimalLike(value)
}
