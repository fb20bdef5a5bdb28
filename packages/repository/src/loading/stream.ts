import { currentContext, restoreContext, runInContext, type SchemaMetadata } from '@org/db-core'
import { checkSignals } from '../cancellation.ts'
import { RepositoryError } from '../errors.ts'
import type { Inner } from '../inner.ts'
import { columnsOf } from '../keyset/order.ts'
import { keyOf, levelOf, type Position, runOf } from '../keyset/position.ts'
import { readRows } from '../keyset/read.ts'
import { finder } from '../rows.ts'
import { checkInteger } from '../window.ts'

const defaultBatchSize = 500

interface Wanted {
  readonly batchSize?: number
  readonly signal?: AbortSignal
  readonly orderBy?: unknown
}

interface Batch {
  readonly items: readonly never[]
  readonly next: Position | undefined
}

/** Reads a list batch by batch, each one found by the values of the row before it. */
export async function* streamRows(
  { access, call }: Inner<unknown, unknown, unknown, unknown>,
  metadata: SchemaMetadata,
  options: object = {},
): AsyncGenerator<never, void, undefined> {
  const { batchSize = defaultBatchSize, signal, orderBy, ...rest } = options as Wanted
  checkInteger(`${access.model}.stream`, 'batchSize', batchSize, 1)
  const model = metadata.models[access.model]
  if (!model) throw new RepositoryError('DB_REPOSITORY_CONFIG', `There is no metadata of ${access.model}`)
  const { database } = access.binding
  const columns = await columnsOf(orderBy, access.model, model, { database, metadata })
  const { find, toItems } = finder(
    access,
    rest,
    columns.map(({ field }) => field),
  )

  async function read(from: Position | undefined): Promise<Batch> {
    const rows = await readRows({ columns, isForward: true, from, take: batchSize + 1, find })
    const [kept, beyond] = [rows.slice(0, batchSize), rows[batchSize]]
    const [first, last] = [kept[0], kept.at(-1)]
    if (!first || !last || !beyond) return { items: toItems(kept), next: undefined }
    const values = keyOf(last, columns)
    const next: Position = {
      side: 'after',
      values,
      level: levelOf(values, keyOf(beyond, columns), columns),
      run: runOf(keyOf(first, columns), values),
    }
    return { items: toItems(kept), next }
  }

  const signals = [signal, currentContext().signal]
  let from: Position | undefined
  do {
    checkSignals(...signals)
    const run = (): Promise<Batch> =>
      call({ action: 'streamBatch', kind: 'read' }, [options, from], (_, place) => read(place))
    const batch = await (signal ? runInContext({ signal }, run) : run())
    for (const item of batch.items) {
      checkSignals(...signals)
      yield item
    }
    from = batch.next
  } while (from)
}

/** The stream, in the context in which it was asked for, whoever reads it. */
export function inOwnContext<T>(
  stream: AsyncGenerator<T, void, undefined>,
): AsyncGenerator<T, void, undefined> {
  const context = currentContext()
  const inside = <R>(fn: () => R): R => restoreContext(context, fn)
  const own: AsyncGenerator<T, void, undefined> = {
    next: () => inside(() => stream.next()),
    return: (value) => inside(() => stream.return(value)),
    throw: (error) => inside(() => stream.throw(error)),
    [Symbol.asyncIterator]: () => own,
    [Symbol.asyncDispose]: async () => {
      await own.return()
    },
  }
  return own
}
