import { currentContext, type DbContext } from '@org/db-core'
import type { Access } from '../access.ts'
import type { Binding } from '../binding.ts'
import type { Inner } from '../inner.ts'
import { byChunks, textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'
import { checkStored } from '../stored.ts'

type Row = Readonly<Record<string, unknown>>

interface Batch {
  readonly context: DbContext
  readonly binding: Binding
  readonly scope: object | undefined
  readonly ids: Map<string, unknown>
  readonly rows: Promise<ReadonlyMap<string, unknown>>
}

/**
 * Loads one relation of many rows: the calls of one tick, of one context, client and transaction, become one query.
 * Works through the model's own rows, so that filters, order and limits hold for each row by itself.
 */
export function relationLoader(
  { access, call }: Inner<unknown, unknown, unknown, unknown>,
  relation: string,
  args: object | undefined,
): (id: unknown) => Promise<unknown> {
  // In Prisma's terms, so that interceptors know which models are read.
  const selection = { select: { [relation]: args ?? true } }
  let open: Batch[] = []

  function begin(place: Pick<Batch, 'context' | 'binding' | 'scope'>): Batch {
    const ids = new Map<string, unknown>()
    const rows = nextTick().then(async () => {
      open = open.filter((each) => each.ids !== ids)
      const found = await call(
        { action: 'loadRelation', kind: 'read' },
        [[...ids.values()], selection],
        (wanted, { select }) => readRelation(access, wanted, select),
      )
      return new Map(found.map((row) => [textOfRow(row, access), row[relation]]))
    })
    return { ...place, ids, rows }
  }

  return async (id) => {
    access.key.argsFor(id)
    const context = currentContext()
    const { binding } = access
    const scope = binding.database?.transactionScope
    let batch = open.find(
      (each) => each.context === context && each.binding === binding && each.scope === scope,
    )
    if (!batch) {
      batch = begin({ context, binding, scope })
      open.push(batch)
    }
    const text = textOfKey(valuesOfId(id, access.key), access)
    batch.ids.set(text, id)
    return (await batch.rows).get(text) ?? null
  }
}

/** The rows with these ids, as far as they are there, with their key and one relation. */
async function readRelation(
  access: Access,
  ids: readonly unknown[],
  relation: object,
): Promise<readonly Row[]> {
  checkStored(access, access.key.fields)
  const key = Object.fromEntries(access.key.fields.map((field) => [field, true]))
  const rows = await byChunks(ids, access.key, (chunk) =>
    access.perform('findMany', {
      where: whereIds(chunk, access),
      select: { ...key, ...relation },
    }),
  )
  return rows as readonly Row[]
}

/** After all that is ready to run now, so that loads which follow others in the same turn are in the batch. */
function nextTick(): Promise<void> {
  return new Promise((resolve) => void Promise.resolve().then(() => process.nextTick(resolve)))
}
