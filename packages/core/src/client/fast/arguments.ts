import { isPlain } from './conditions.ts'
import { columnField, columnSql, type Table } from './table.ts'

/** What a call asks for besides its conditions. */
export interface Request {
  /** The same for all requests that need the same SQL. */
  readonly shape: string
  /** Fields to return, in this order; all without a `select`. */
  readonly fields: readonly string[]
  /** ` ORDER BY …`, or nothing. */
  readonly orderBy: string
  readonly take: number | undefined
  readonly skip: number | undefined
}

/** The actions that can be taken away from Prisma, with what their arguments may hold beside `where`. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  findUnique: ['select'],
  findUniqueOrThrow: ['select'],
  findFirst: ['select', 'orderBy'],
  findFirstOrThrow: ['select', 'orderBy'],
  findMany: ['select', 'orderBy', 'take', 'skip'],
  count: [],
}

/** Whether calls of that name may be served at all. */
export function isFastAction(action: string): boolean {
  return Object.hasOwn(allowed, action)
}

/** Reads what stands beside `where`; `undefined` for a request that is left to Prisma. */
export function readRequest(action: string, args: object, table: Table): Request | undefined {
  const names = allowed[action]
  if (!names) return undefined
  let given: Readonly<Record<string, unknown>> | undefined
  for (const key in args) {
    if (key === 'where' || Reflect.get(args, key) === undefined) continue
    if (!names.includes(key)) return undefined
    given = args as Readonly<Record<string, unknown>>
  }
  if (!given) return { shape: '', fields: table.fields, orderBy: '', take: undefined, skip: undefined }
  const { select, orderBy, take, skip } = given
  const fields = select === undefined ? table.fields : readSelect(select, table)
  const order = orderBy === undefined ? '' : readOrder(orderBy, table)
  if (!fields || order === undefined || !isWindow(take) || !isWindow(skip)) return undefined
  const window = `${take === undefined ? '' : 't'}${skip === undefined ? '' : 's'}`
  return {
    shape: `${select === undefined ? '' : fields.join()}|${order}|${window}`,
    fields,
    orderBy: order,
    take,
    skip,
  }
}

function isWindow(value: unknown): value is number | undefined {
  return (
    value === undefined || (Number.isInteger(value) && (value as number) >= 0 && (value as number) < 2 ** 31)
  )
}

function readSelect(select: unknown, table: Table): readonly string[] | undefined {
  if (!isPlain(select)) return undefined
  const fields: string[] = []
  for (const [name, wanted] of Object.entries(select)) {
    if (wanted === false || wanted === undefined) continue
    if (wanted !== true || !columnField(table, name)) return undefined
    fields.push(name)
  }
  return fields.length === 0 ? undefined : fields
}

function readOrder(orderBy: unknown, table: Table): string | undefined {
  const parts: string[] = []
  for (const part of Array.isArray(orderBy) ? (orderBy as readonly unknown[]) : [orderBy]) {
    if (!isPlain(part)) return undefined
    const entries = Object.entries(part).filter(([, direction]) => direction !== undefined)
    const [name = '', direction] = entries[0] ?? []
    const field = columnField(table, name)
    const sql = field && !field.isList && entries.length === 1 ? readDirection(direction) : undefined
    if (!field || sql === undefined) return undefined
    parts.push(`${columnSql(field)} ${sql}`)
  }
  return parts.length === 0 ? '' : ` ORDER BY ${parts.join(', ')}`
}

const directions: Readonly<Record<string, string>> = { asc: 'ASC', desc: 'DESC' }
const nullOrders: Readonly<Record<string, string>> = { first: ' NULLS FIRST', last: ' NULLS LAST' }

function readDirection(given: unknown): string | undefined {
  if (typeof given === 'string') return directions[given]
  if (!isPlain(given)) return undefined
  const { sort, nulls, ...others } = given
  const direction = directions[String(sort)]
  if (direction === undefined || Object.keys(others).length > 0) return undefined
  if (nulls === undefined) return direction
  const order = nullOrders[String(nulls)]
  return order === undefined ? undefined : direction + order
}
