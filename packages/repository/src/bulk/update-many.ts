import type { Operation } from '@org/db-core'
import type { BulkOptions } from './bulk-types.ts'
import { throughInterceptors } from './collector.ts'
import { type Equality, equalitiesOf } from './equalities.ts'
import { inParts } from './progress.ts'
import { settled } from './row-data.ts'
import { type AnyInner, type Fields, refusal, type Target, targetOf } from './target.ts'
import { type Change, updateRows } from './update.ts'

/** One row to change, as it was given. */
export interface GivenChange {
  readonly id: unknown
  readonly data: unknown
}

/** Gives each row values of its own. */
export async function updateMany(
  inner: AnyInner,
  given: readonly GivenChange[],
  options: BulkOptions,
): Promise<unknown> {
  const target = targetOf(inner)
  const { database, name: model } = target
  const keys = given.map(({ id }, place) => keyOf(id, place, inner, target))
  const data = (await settled(given.map((each) => inner.toUpdateData(each.id, each.data)))) as Fields[]
  const how = { ...options, method: 'updateMany' }
  let results: readonly unknown[]
  if (database.isIntercepted) {
    const requests = data.map((each, place) => ({
      action: 'update',
      args: { ...inner.access.key.argsFor(given[place]?.id), data: each },
    }))
    const part = inParts(options, given.length)
    results = await database.sql.transaction(() =>
      throughInterceptors(requests, target, (items) => {
        const changes = items.map(({ operation }) => changeOf(operation, target))
        return updateRows(changes, target, { ...how, ...part(), returning: true })
      }),
    )
  } else {
    const changes = data.map((each, place) => ({ where: keys[place] ?? [], data: each }))
    results = (await database.operate({ model, action: 'updateMany', args: { data: changes } }, () =>
      updateRows(changes, target, { ...how, returning: false }),
    )) as readonly unknown[]
  }
  const missing = given.filter((_, place) => results[place] === undefined).map(({ id }) => id)
  return { count: given.length - missing.length, missing }
}

/** The key as conditions. A part that is missing would mean many rows. */
function keyOf(
  id: unknown,
  place: number,
  { access: { key } }: AnyInner,
  target: Target,
): readonly Equality[] {
  const [only = key.name] = key.fields
  const parts = (key.fields.length === 1 ? { [only]: id } : (id ?? {})) as Fields
  return key.fields.map((field) => {
    const value = parts[field]
    if (value !== undefined && value !== null) return [field, value]
    throw refusal(target, `row ${place} of updateMany has no ${field} in its id`)
  })
}

/** All conditions of an `update`, those that interceptors have added too, as equalities of columns. */
function changeOf({ action, args }: Operation, target: Target): Change {
  const { where, data, ...others } = args as { readonly where: unknown; readonly data: Fields }
  const isPlain = action === 'update' && Object.keys(others).length === 0
  const equalities = isPlain ? equalitiesOf(where, target) : undefined
  if (equalities) return { where: equalities, data }
  throw refusal(target, `an interceptor made of update what can't be done in bulk: ${action}`)
}
