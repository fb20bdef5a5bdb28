import type { Operation } from '@org/db-core'
import type { CreateManyOptions } from './bulk-types.ts'
import { insertRows } from './insert.ts'
import { settled } from './row-data.ts'
import { type AnyInner, type Fields, refusal, type Target, targetOf } from './target.ts'

/** Stores rows: one operation for the interceptors, as Prisma's `createMany`. */
export async function createMany(
  inner: AnyInner,
  given: readonly unknown[],
  options: CreateManyOptions,
): Promise<unknown> {
  const target = targetOf(inner)
  const { skipDuplicates = false, returning = false, ...progress } = options
  const rows = await settled(given.map((each) => inner.toCreateData(each)))
  const action = returning ? 'createManyAndReturn' : 'createMany'
  const args = { data: rows, ...(skipDuplicates && { skipDuplicates }) }
  const result = await target.database.operate({ model: target.name, action, args }, async (operation) => {
    const request = requestOf(operation, target)
    const { rows: stored, count } = await insertRows({ ...request, method: 'createMany' }, target, progress)
    return request.returning ? stored : { count }
  })
  return returning ? inner.access.many(result) : result
}

/** What is to be done after all interceptors: one may have asked for rows, to learn their keys. */
function requestOf({ action, args }: Operation, target: Target) {
  const { data, skipDuplicates, select, omit, ...others } = args as Fields
  const isReturning = action === 'createManyAndReturn'
  const columns = [...target.columns.keys()]
  const fields = select === undefined ? columns : keysOf(select)
  const returning = fields.filter((name) => (omit as Fields | undefined)?.[name] !== true)
  const isPlain =
    (isReturning || (action === 'createMany' && select === undefined && omit === undefined)) &&
    Object.keys(others).length === 0 &&
    returning.every((name) => target.columns.has(name))
  if (!isPlain)
    throw refusal(target, `an interceptor made of createMany what can't be done in bulk: ${action}`)
  return {
    rows: (Array.isArray(data) ? data : [data]) as object[],
    skipDuplicates: skipDuplicates === true,
    returning: isReturning ? returning : undefined,
  }
}

function keysOf(select: unknown): readonly string[] {
  return Object.entries(select as Fields).flatMap(([name, value]) => (value === true ? [name] : []))
}
