import type { Operation } from '@org/db-core'
import type { Id, ModelName, UniqueKey, Where } from '../client-types.ts'
import { extraOf } from '../extra.ts'
import type { Inner, RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Bulk, BulkOptions, CreateManyOptions, UpsertManyOptions } from './bulk-types.ts'
import { type CarriedItem, throughInterceptors } from './collector.ts'
import { insertRows } from './insert.ts'
import { refusal, type Target, targetOf } from './target.ts'
import { type Change, updateRows } from './update.ts'
import { type Upserted, upsertRows } from './upsert.ts'

type AnyInner = Inner<unknown, unknown, unknown, unknown>
type Fields = Readonly<Record<string, unknown>>

/**
 * Adds bulk methods to a repository: `await bulk(films).createMany(rows)`. They join the ambient transaction, run the
 * repository's hooks for each row, and pass interceptors with every row.
 * @throws RepositoryError DB_REPOSITORY_CONFIG on a plain client, and without metadata
 */
export function bulk<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
>(repository: RepositoryLike<C, M, Mapping, K>): Bulk<C, M, Mapping, Where<C, M>, Id<C, M, K>> {
  const inner = repository['~inner'] as AnyInner
  targetOf(inner)
  const call = <T>(
    action: string,
    args: readonly unknown[],
    body: (...args: never[]) => Promise<T>,
  ): Promise<never> => inner.call({ action, kind: 'write' }, args, body as never) as Promise<never>
  const methods: Bulk<C, M, Mapping, Where<C, M>, Id<C, M, K>> = {
    createMany: (rows: unknown, options?: CreateManyOptions) =>
      call('createMany', [rows, options], (given: readonly unknown[], how?: CreateManyOptions) =>
        createMany(inner, given, how ?? {}),
      ),
    updateMany: (changes, options) =>
      call('updateMany', [changes, options], (given: readonly GivenChange[], how?: BulkOptions) =>
        updateMany(inner, given, how ?? {}),
      ),
    upsertMany: (rows, options) =>
      call('upsertMany', [rows, options], (given: readonly unknown[], how?: UpsertManyOptions<string>) =>
        upsertMany(inner, given, how ?? {}),
      ),
    setMany: (where, data) =>
      call('setMany', [where, data], async (filter: object, values: object) => {
        checkFilter(inner, filter, 'setMany')
        const row = await inner.toUpdateData(undefined, values)
        return Reflect.apply(delegateMethod(inner, 'updateMany'), undefined, [{ where: filter, data: row }])
      }),
    deleteMany: (where) =>
      call('deleteMany', [where], async (filter: object) => {
        checkFilter(inner, filter, 'deleteMany')
        return Reflect.apply(delegateMethod(inner, 'deleteMany'), undefined, [{ where: filter }])
      }),
  }
  return extraOf(repository, methods, (view) => bulk(view))
}

interface GivenChange {
  readonly id: unknown
  readonly data: unknown
}

type Method = (args: object) => Promise<unknown>

function delegateMethod({ access }: AnyInner, name: string): Method {
  const { delegate } = access.binding
  return (Reflect.get(delegate, name) as Method).bind(delegate)
}

/** Without this check a forgotten filter would mean all rows. */
function checkFilter(inner: AnyInner, where: unknown, method: string): void {
  if (where === undefined) throw refusal(targetOf(inner), `${method} was given no filter`)
}

async function createMany(
  inner: AnyInner,
  given: readonly unknown[],
  options: CreateManyOptions,
): Promise<unknown> {
  const target = targetOf(inner)
  const { skipDuplicates = false, returning = false, ...progress } = options
  const rows = await Promise.all(given.map((each) => inner.toCreateData(each)))
  const action = returning ? 'createManyAndReturn' : 'createMany'
  const args = { data: rows, ...(skipDuplicates && { skipDuplicates }) }
  const result = await target.database.operate({ model: target.name, action, args }, async (operation) => {
    const { data, skipDuplicates: skips, ...others } = operation.args as Fields
    if (operation.action !== action || !Array.isArray(data) || Object.keys(others).length > 0) {
      throw refusal(target, `an interceptor made of ${action} what can't be done in bulk`)
    }
    const request = {
      rows: data as object[],
      skipDuplicates: skips === true,
      returning,
      method: 'createMany',
    }
    const stored = await insertRows(request, target, progress)
    return returning ? stored.rows : { count: stored.count }
  })
  return returning ? inner.access.many(result) : result
}

async function updateMany(
  inner: AnyInner,
  given: readonly GivenChange[],
  options: BulkOptions,
): Promise<unknown> {
  const target = targetOf(inner)
  const { key } = inner.access
  const changes: Change[] = await Promise.all(
    given.map(async ({ id, data }) => ({
      where: key.fields.length === 1 ? { [key.fields[0] ?? key.name]: id } : (id as Fields),
      data: (await inner.toUpdateData(id, data)) as Fields,
    })),
  )
  const how = { ...options, method: 'updateMany' }
  const results = target.database.isIntercepted
    ? await inOneTransaction(target, () =>
        throughInterceptors(
          changes.map(({ data }, index) => ({
            action: 'update',
            args: { ...key.argsFor(given[index]?.id), data },
          })),
          target,
          (items) =>
            updateRows(
              items.map(({ operation }) => changeOf(operation, target)),
              target,
              { ...how, returning: true },
            ),
        ),
      )
    : await target.database.operate(
        { model: target.name, action: 'updateMany', args: { data: changes } },
        () => updateRows(changes, target, { ...how, returning: false }),
      )
  const found = results as readonly unknown[]
  const missing = given.filter((_, index) => found[index] === undefined).map(({ id }) => id)
  return { count: given.length - missing.length, missing }
}

/** All conditions of an `update`, those that interceptors have added too, as equalities of columns. */
function changeOf({ action, args }: Operation, target: Target): Change {
  const { where, data, ...others } = args as { readonly where: unknown; readonly data: Fields }
  const isPlain = action === 'update' && Object.keys(others).length === 0
  const equalities = isPlain ? equalitiesOf(where, target) : undefined
  if (equalities) return { where: equalities, data }
  throw refusal(target, `an interceptor made of ${action} what can't be done in bulk`)
}

function equalitiesOf(where: unknown, target: Target): Fields | undefined {
  const found: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(where as Fields)) {
    if (value === undefined) continue
    const parts = name === 'AND' ? (Array.isArray(value) ? (value as unknown[]) : [value]) : undefined
    if (parts) {
      for (const part of parts) {
        const inner = equalitiesOf(part, target)
        if (!inner) return undefined
        Object.assign(found, inner)
      }
    } else if (target.columns.has(name) && isScalar(value)) found[name] = value
    else if (isUnique(name, value, target)) Object.assign(found, value)
    else return undefined
  }
  return found
}

function isScalar(value: unknown): boolean {
  return value !== null && (typeof value !== 'object' || value instanceof Date)
}

function isUnique(name: string, value: unknown, { model }: Target): boolean {
  const known = name === model.idName || model.uniques.some((fields) => fields.join('_') === name)
  return known && typeof value === 'object' && value !== null && Object.values(value).every(isScalar)
}

async function inOneTransaction<T>({ database }: Target, work: () => Promise<T>): Promise<T> {
  return database.sql.transaction(work)
}

async function upsertMany(
  inner: AnyInner,
  given: readonly unknown[],
  options: UpsertManyOptions<string>,
): Promise<unknown> {
  const target = targetOf(inner)
  const { conflict = inner.access.key.fields, merge: wanted, ...progress } = options
  const rows = (await Promise.all(given.map((each) => inner.toCreateData(each)))) as Fields[]
  const isUniqueKey = target.model.uniques.some(
    (fields) => fields.length === conflict.length && fields.every((field) => conflict.includes(field)),
  )
  if (!isUniqueKey) throw refusal(target, `upsertMany: ${conflict.join(', ')} is no unique key`)
  const stamps = [...target.columns.values()].filter(({ field }) => field.isUpdatedAt).map(({ name }) => name)
  const named = new Set(rows.flatMap((row) => Object.keys(row).filter((name) => row[name] !== undefined)))
  const merge = [
    ...new Set([...(wanted ?? [...named].filter((name) => !conflict.includes(name))), ...stamps]),
  ]
  const request = { ...progress, conflict, merge, method: 'upsertMany' }
  const upserted = target.database.isIntercepted
    ? await upsertThroughInterceptors(rows, request, target)
    : ((await target.database.operate({ model: target.name, action: 'upsert', args: { create: rows } }, () =>
        upsertRows({ ...request, rows }, target),
      )) as readonly Upserted[])
  const inserted = upserted.filter(({ isNew }) => isNew).length
  return {
    inserted,
    updated: upserted.length - inserted,
    rows: upserted.map(({ row, isNew }) => ({ row: inner.access.one(row), isNew })),
  }
}

function upsertRequests(
  rows: readonly Fields[],
  conflict: readonly string[],
  merge: readonly string[],
): readonly { readonly action: string; readonly args: object }[] {
  return rows.map((row) => {
    const key = Object.fromEntries(conflict.map((field) => [field, row[field]]))
    const where = conflict.length === 1 ? key : { [conflict.join('_')]: key }
    const update = Object.fromEntries(
      merge.filter((field) => row[field] !== undefined).map((field) => [field, row[field]]),
    )
    return { action: 'upsert', args: { where, create: row, update } }
  })
}

type UpsertSetup = Omit<Parameters<typeof upsertRows>[0], 'rows' | 'only'>

async function upsertThroughInterceptors(
  rows: readonly Fields[],
  request: UpsertSetup,
  target: Target,
): Promise<readonly Upserted[]> {
  const areNew: boolean[] = []
  const results = await inOneTransaction(target, () =>
    throughInterceptors(upsertRequests(rows, request.conflict, request.merge), target, async (items) => {
      const upserted = await carryUpserts(items, request, target)
      for (const [index, { isNew }] of upserted.entries()) areNew[items[index]?.place ?? 0] = isNew
      return upserted.map(({ row }) => row)
    }),
  )
  return results.map((row, place) => ({ row: row as object, isNew: areNew[place] === true }))
}

async function carryUpserts(
  items: readonly CarriedItem[],
  request: UpsertSetup,
  target: Target,
): Promise<readonly Upserted[]> {
  const rows: object[] = []
  let only: string | undefined
  for (const { operation } of items) {
    const { where, create, update: _update, ...others } = operation.args as Fields
    const isPlain = operation.action === 'upsert' && Object.keys(others).length === 0
    const equalities = isPlain ? equalitiesOf(where, target) : undefined
    if (!equalities) {
      throw refusal(target, `an interceptor made of ${operation.action} what can't be done in bulk`)
    }
    const added = Object.entries(equalities).filter(([name]) => !request.conflict.includes(name))
    const text = JSON.stringify(added)
    if (only !== undefined && only !== text) {
      throw refusal(target, 'an interceptor gave rows of upsertMany different conditions')
    }
    only = text
    rows.push(create as object)
  }
  const conditions = Object.fromEntries(JSON.parse(only ?? '[]') as [string, unknown][])
  const upserted = await upsertRows({ ...request, rows, only: conditions }, target)
  if (upserted.length === items.length) return upserted
  throw refusal(target, 'upsertMany met rows that it may not change')
}
