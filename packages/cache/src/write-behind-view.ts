import type { DbContext, Interceptor, Next, Operation } from '@org/db-core'
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
  readonly flush: () => Promise<void>
  /** Takes what callers are not told. */
  readonly report: (error: unknown) => void
}

/** The repository as its users see it: updates wait in the queue, and lookups show what waits. */
export function createBehindView<R extends CacheableRepository>(options: BehindViewOptions<R>): R {
  const { name, repository, queue, codec, flush, report } = options

  const interceptor: Interceptor = {
    name: 'write-behind',
    // Outside of the cache, which holds rows as they are stored; inside of validation, which refuses at once.
    stage: 'encrypt',
    intercept(operation, next) {
      const { action, kind, inTransaction } = operation
      if (inTransaction) return next(operation)
      if (action === 'findById' || action === 'findByIdOrThrow') return lookUp(operation, next)
      if (kind === 'read') return next(operation)
      return isPlainUpdate(operation) ? update(operation, next) : afterAll(operation, next)
    },
  }
  const view = repository.with(interceptor)

  async function lookUp(operation: Operation, next: Next): Promise<unknown> {
    const [id] = operation.args as readonly unknown[]
    // Before the row: what is written in between is then in the row.
    const waiting = await waitingFor(keyOf(id, operation.context))
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
      return await queue.pending(key)
    } catch (error) {
      report(error)
      return []
    }
  }

  async function update(operation: Operation, next: Next): Promise<unknown> {
    const [id, given, selection] = operation.args as readonly [unknown, Record<string, unknown>, unknown]
    const data = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined))
    const { tenant, actor, requestId } = operation.context
    const row = await (view as unknown as Repository).findById(id, selection)
    // It is the repository that knows what to say about a row that is not there.
    if (row === null) return afterAll(operation, next)
    const context = {
      ...(tenant !== undefined && { tenant }),
      ...(actor !== undefined && { actor }),
      ...(requestId !== undefined && { requestId }),
    }
    const body: ChangeBody = { repository: name, id, data, context }
    const isTaken = await put(keyOf(id, operation.context), codec.encode(body).toString())
    return isTaken ? withChange(row, data) : afterAll(operation, next)
  }

  async function put(key: string, body: string): Promise<boolean> {
    try {
      return await queue.put(key, body)
    } catch (cause) {
      throw new CacheError(
        'DB_CACHE_WRITE_BEHIND',
        'It is not known whether the queue has taken the change',
        {
          cause,
          retryable: true,
        },
      )
    }
  }

  /** What was accepted before it is also written before it. */
  async function afterAll(operation: Operation, next: Next): Promise<unknown> {
    await flush()
    return next(operation)
  }

  function keyOf(id: unknown, { tenant }: DbContext): string {
    return codec.encode([name, tenant ?? null, id]).toString()
  }

  return view
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
