import { type Args, isArgs } from './args.ts'
import { narrowNested } from './nested.ts'
import { fieldIn, type RowScope, type Via } from './row-scope.ts'

/** The data of a new row, kept within the scope. */
export function narrowCreate(data: unknown, model: string, scope: RowScope, via?: Via): unknown {
  return isArgs(data) ? scope.create(narrowRelations(data, model, scope), data, model, via) : data
}

/** The changes of a row, kept within the scope. */
export function narrowUpdate(data: unknown, model: string, scope: RowScope): unknown {
  return isArgs(data) ? scope.update(narrowRelations(data, model, scope), data, model) : data
}

function narrowRelations(data: Args, model: string, scope: RowScope): Args {
  let narrowed: Record<string, unknown> | undefined
  for (const [name, value] of Object.entries(data)) {
    const field = fieldIn(scope, model, name)
    if (field?.kind !== 'relation' || !isArgs(value)) continue
    narrowed ??= { ...data }
    narrowed[name] = narrowNested(value, { name, field, model }, scope)
  }
  return narrowed ?? data
}
