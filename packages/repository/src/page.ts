import type { Access } from './access.ts'
import { RepositoryError } from './errors.ts'
import { checkInteger } from './window.ts'

const defaultPageSize = 20
const defaultMaxPageSize = 100

/** One page of a list, and where it is in the whole. */
export interface Page<T> {
  readonly items: T[]
  /** Rows in all pages together. */
  readonly total: number
  /** Of this page, beginning with 1. */
  readonly page: number
  readonly pageSize: number
  /** 0 when there are no rows. */
  readonly pageCount: number
  readonly hasNext: boolean
  readonly hasPrevious: boolean
}

/** The option `maxPageSize` of a repository, or its default. @throws RepositoryError DB_REPOSITORY_CONFIG */
export function checkMaxPageSize(model: string, maxPageSize: number = defaultMaxPageSize): number {
  if (Number.isSafeInteger(maxPageSize) && maxPageSize > 0) return maxPageSize
  throw new RepositoryError(
    'DB_REPOSITORY_CONFIG',
    `${model}: maxPageSize is not a whole number of at least 1`,
  )
}

interface PageWanted {
  readonly page?: number
  readonly pageSize?: number
  readonly where?: unknown
  readonly orderBy?: unknown
}

/** Reads one page. Outside a transaction the rows and their number are asked for at once. */
export async function readPage(
  access: Access,
  options: object | undefined,
  maxPageSize: number,
): Promise<Page<never>> {
  const { page = 1, pageSize = Math.min(defaultPageSize, maxPageSize), ...wanted }: PageWanted = options ?? {}
  const request = pageRequest(`${access.model}.page`, page, pageSize, maxPageSize)
  const args = access.args(wanted, {
    orderBy: stableOrder(wanted.orderBy, tieFields(access)),
    skip: request.skip,
    take: request.pageSize,
  })
  const reading = access.perform('findMany', args)
  // A transaction has one connection: there the second statement waits for the first, which often makes it needless.
  const counting = access.binding.inTransaction() ? undefined : access.count(wanted.where)
  const [rows, counted] = await Promise.all([reading, counting])
  const items: never[] = access.many(rows)
  const total = counted ?? totalFromItems(request, items.length) ?? (await access.count(wanted.where))
  return toPage(request, items, total)
}

/** The fields by which no two rows are equal; of a key that may be null many are. */
function tieFields({ key, binding }: Access): readonly string[] {
  const { modelMetadata: model } = binding
  if (model) {
    const isNullable = key.fields.some((field) => model.fields[field]?.isRequired === false)
    return isNullable ? [...key.fields, ...model.id] : key.fields
  }
  return Object.keys(binding.delegate.fields).includes('id') ? [...key.fields, 'id'] : key.fields
}

/** The page asked for, checked. */
interface PageRequest {
  readonly page: number
  readonly pageSize: number
  readonly skip: number
}

/** @throws RepositoryError DB_REPOSITORY_ARGUMENT for anything but whole numbers from 1 up */
function pageRequest(method: string, page: number, pageSize: number, maxPageSize: number): PageRequest {
  checkInteger(method, 'pageSize', pageSize, 1, maxPageSize)
  checkInteger(method, 'page', page, 1, Math.floor(Number.MAX_SAFE_INTEGER / pageSize))
  return { page, pageSize, skip: (page - 1) * pageSize }
}

/**
 * The total if the items alone tell it: a page that is not full is the last one. `undefined` for a full page, and
 * for an empty one that is not the first.
 */
function totalFromItems({ skip, pageSize }: PageRequest, count: number): number | undefined {
  if (count === pageSize || (count === 0 && skip > 0)) return undefined
  return skip + count
}

/** Puts a page together. Where rows came or went between the two statements, the items are right. */
function toPage<T>(request: PageRequest, items: T[], counted: number): Page<T> {
  const { page, pageSize, skip } = request
  const total =
    totalFromItems(request, items.length) ??
    (items.length === 0 ? Math.min(counted, skip) : Math.max(counted, skip + items.length))
  const pageCount = Math.ceil(total / pageSize)
  return {
    items,
    total,
    page,
    pageSize,
    pageCount,
    hasNext: page < pageCount,
    hasPrevious: page > 1 && total > 0,
  }
}

type OrderEntry = Readonly<Record<string, unknown>>

/**
 * The order with the key's fields behind it, so that no two rows are equal and none moves between pages. They
 * follow the last direction, because one index then serves the whole order.
 */
function stableOrder(orderBy: unknown, keyFields: readonly string[]): readonly OrderEntry[] {
  const given = (Array.isArray(orderBy) ? orderBy : [orderBy]).filter(
    (entry): entry is OrderEntry => typeof entry === 'object' && entry !== null,
  )
  const ordered = new Set(
    given.flatMap((entry) => Object.keys(entry).filter((field) => entry[field] !== undefined)),
  )
  const direction = directionOf(given.at(-1))
  const missing = [...new Set(keyFields)].filter((field) => !ordered.has(field))
  return [...given, ...missing.map((field) => ({ [field]: direction }))]
}

function directionOf(entry: OrderEntry | undefined): 'asc' | 'desc' {
  const [value] = Object.values(entry ?? {})
  const sort = typeof value === 'object' && value !== null ? Reflect.get(value, 'sort') : value
  return sort === 'desc' ? 'desc' : 'asc'
}
