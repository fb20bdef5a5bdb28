import { currentContext, type DbContext } from '@org/db-core'
import type { Access } from '../access.ts'
import { textOfKey, textOfRow, valuesOfId, whereIds } from '../row-key.ts'

type Row = Readonly<Record<string, unknown>>

interface Batch {
  readonly context: DbContext
  readonly scope: object | undefined
  readonly ids: Map<string, unknown>
  readonly rows: Promise<ReadonlyMap<string, unknown>>
}

/**
 * Loads one relation of many rows: the calls of one tick, of one context and one transaction, become one query. Works
 * through the model's own rows, so that filters, order and limits hold for each row by itself.
 */
export function relationLoader(
  access: Access,
  relation: string,
  args: object | undefined,
): (id: unknown) => Promise<unknown> {
  let open: Batch[] = []

  function begin(): Batch {
    const ids = new Map<string, unknown>()
    const rows = nextTick().then(() => {
      open = open.filter((each) => each.ids !== ids)
      return read(ids)
    })
    return { context: currentContext(), scope: access.binding.database?.transactionScope, ids, rows }
  }

  async function read(ids: ReadonlyMap<string, unknown>): Promise<ReadonlyMap<string, unknown>> {
    const key = Object.fromEntries(access.key.fields.map((field) => [field, true]))
    const rows = (await access.perform('findMany', {
      where: whereIds([...ids.values()], access),
      select: { ...key, [relation]: args ?? true },
    })) as readonly Row[]
    return new Map(rows.map((row) => [textOfRow(row, access), row[relation]]))
  }

  return async (id) => {
    access.key.argsFor(id)
    const context = currentContext()
    const scope = access.binding.database?.transactionScope
    let batch = open.find((each) => each.context === context && each.scope === scope)
    if (!batch) {
      batch = begin()
      open.push(batch)
    }
    const text = textOfKey(valuesOfId(id, access.key), access)
    batch.ids.set(text, id)
    return (await batch.rows).get(text) ?? null
  }
}

/** After all that is ready to run now, so that loads which follow others in the same turn are in the batch. */
function nextTick(): Promise<void> {
  return new Promise((resolve) => void Promise.resolve().then(() => process.nextTick(resolve)))
}
