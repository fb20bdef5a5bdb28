import type { Operation } from '@org/db-core'
import type { UpsertManyOptions } from './bulk-types.ts'
import { type CarriedItem, throughInterceptors } from './collector.ts'
import { equalitiesOf } from './equalities.ts'
import { inParts, type Progress } from './progress.ts'
import { settled } from './row-data.ts'
import { type AnyInner, columnOf, type Fields, refusal, type Target, targetOf } from './target.ts'
import { type Upserted, upsertRows } from './upsert.ts'

/** Stores rows, or merges them into those that have their key. */
export async function upsertMany(
  inner: AnyInner,
  given: readonly unknown[],
  options: UpsertManyOptions<string>,
): Promise<unknown> {
  const target = targetOf(inner)
  const { conflict = inner.access.key.fields, merge, signal, onProgress } = options
  const rows = (await settled(given.map((each) => inner.toCreateData(each)))) as Fields[]
  checkConflict(conflict, target)
  for (const field of merge ?? []) columnOf(target, field, 'upsertMany')
  const plan: Plan = { conflict, wanted: merge && new Set(merge), progress: { signal, onProgress } }
  const upserted = target.database.isIntercepted
    ? await throughAll(rows, plan, target)
    : await atOnce(rows, plan, target)
  const inserted = upserted.reduce((count, { isNew }) => count + (isNew ? 1 : 0), 0)
  return {
    inserted,
    updated: upserted.length - inserted,
    rows: upserted.map(({ row, isNew }) => ({ row: inner.access.one(row), isNew })),
  }
}

interface Plan {
  readonly conflict: readonly string[]
  /** The fields to take over; without, all but the key. */
  readonly wanted: ReadonlySet<string> | undefined
  readonly progress: Progress
}

function checkConflict(conflict: readonly string[], target: Target): void {
  const isUnique = target.model.uniques.some(
    (fields) => fields.length === conflict.length && fields.every((field) => conflict.includes(field)),
  )
  if (!isUnique) throw refusal(target, `upsertMany: ${conflict.join(', ')} is no unique key`)
}

/** The fields that a row which is there takes over: of those wanted, the ones that the given row names. */
function mergeFields(row: Fields, { conflict, wanted }: Plan): readonly string[] {
  const fields: string[] = []
  for (const field in row) {
    if (row[field] === undefined) continue
    if (wanted ? wanted.has(field) : !conflict.includes(field)) fields.push(field)
  }
  return fields
}

/** And the time of the change. */
function withStamps(fields: readonly string[], stamps: readonly string[]): readonly string[] {
  return stamps.length === 0 ? fields : [...new Set([...fields, ...stamps])]
}

function stampsOf({ columns }: Target): readonly string[] {
  return [...columns.values()].filter(({ field }) => field.isUpdatedAt).map(({ name }) => name)
}

function atOnce(rows: readonly Fields[], plan: Plan, target: Target): Promise<readonly Upserted[]> {
  const { conflict, progress } = plan
  const stamps = stampsOf(target)
  const mergeOf = (place: number): readonly string[] =>
    withStamps(mergeFields(rows[place] as Fields, plan), stamps)
  const request = { rows, conflict, mergeOf, only: new Map<string, string | null>(), method: 'upsertMany' }
  return target.database.operate({ model: target.name, action: 'upsert', args: { create: rows } }, () =>
    upsertRows({ ...request, ...progress }, target),
  ) as Promise<readonly Upserted[]>
}

async function throughAll(rows: readonly Fields[], plan: Plan, target: Target): Promise<readonly Upserted[]> {
  const { conflict, progress } = plan
  const requests = rows.map((row) => {
    const key = Object.fromEntries(conflict.map((field) => [field, row[field]]))
    const where = conflict.length === 1 ? key : { [conflict.join('_')]: key }
    const update = Object.fromEntries(mergeFields(row, plan).map((field) => [field, row[field]]))
    return { action: 'upsert', args: { where, create: row, update } }
  })
  const areNew: boolean[] = []
  const part = inParts(progress, rows.length)
  const results = await target.database.sql.transaction(() =>
    throughInterceptors(requests, target, async (items) => {
      const upserted = await carry(items, { ...plan, progress: part() }, target)
      for (const [index, { isNew }] of upserted.entries()) areNew[items[index]?.place ?? 0] = isNew
      return upserted.map(({ row }) => row)
    }),
  )
  return results.map((row, place) => ({ row: row as object, isNew: areNew[place] === true }))
}

/** Carries out what the interceptors have made of the rows. */
async function carry(
  items: readonly CarriedItem[],
  { conflict, progress }: Plan,
  target: Target,
): Promise<readonly Upserted[]> {
  const rows: Fields[] = []
  const merges: (readonly string[])[] = []
  let only: ReadonlyMap<string, string | null> | undefined
  const stamps = stampsOf(target)
  for (const { operation, place } of items) {
    const { create, update, conditions } = partsOf(operation, conflict, target)
    if (only && JSON.stringify([...only]) !== JSON.stringify([...conditions])) {
      throw refusal(target, 'an interceptor gave rows of upsertMany different conditions')
    }
    only = conditions
    rows.push(create)
    merges.push(withStamps(fieldsToMerge(update, create, place, target), stamps))
  }
  const mergeOf = (place: number): readonly string[] => merges[place] ?? []
  const request = { rows, conflict, mergeOf, only: only ?? new Map(), method: 'upsertMany', ...progress }
  const upserted = await upsertRows(request, target)
  if (upserted.length === items.length) return upserted
  throw refusal(target, 'upsertMany met rows that it may not change')
}

interface Parts {
  readonly create: Fields
  readonly update: Fields
  /** What a row which is there has to be beside its key. */
  readonly conditions: ReadonlyMap<string, string | null>
}

function partsOf({ action, args }: Operation, conflict: readonly string[], target: Target): Parts {
  const { where, create, update, ...others } = args as Fields
  const isPlain = action === 'upsert' && Object.keys(others).length === 0
  const equalities = isPlain ? equalitiesOf(where, target) : undefined
  if (!equalities)
    throw refusal(target, `an interceptor made of upsert what can't be done in bulk: ${action}`)
  const conditions = new Map<string, string | null>()
  for (const [field, value] of equalities) {
    if (conflict.includes(field)) continue
    const text = value === null ? null : columnOf(target, field, 'upsertMany').toText(value)
    if (text === undefined || (conditions.has(field) && conditions.get(field) !== text)) {
      throw refusal(target, `an interceptor made of upsert a condition on ${field} that can't be met`)
    }
    conditions.set(field, text)
  }
  return { create: create as Fields, update: update as Fields, conditions }
}

/** One statement can give a row that is there only what it would give to a new one. */
function fieldsToMerge(update: Fields, create: Fields, place: number, target: Target): readonly string[] {
  const fields = Object.keys(update).filter((field) => update[field] !== undefined)
  for (const field of fields) {
    const { toText } = columnOf(target, field, 'upsertMany')
    if (update[field] === create[field]) continue
    const text = toText(update[field])
    if (text !== undefined && text === toText(create[field])) continue
    throw refusal(
      target,
      `an interceptor made row ${place} of upsertMany another one to create than to update: ${field}`,
    )
  }
  return fields
}
