import type { FieldMetadata } from '../../metadata.ts'
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
  /** The fields of the order. */
  readonly orderFields: readonly string[]
  readonly take: number | undefined
  readonly skip: number | undefined
  /** Whether `take` is written into the SQL. */
  readonly isTakeFixed: boolean
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
  if (!given) {
    const { fields } = table
    return {
      shape: '',
      fields,
      orderBy: '',
      orderFields: [],
      take: undefined,
      skip: undefined,
      isTakeFixed: false,
    }
  }
  const { select, orderBy, take, skip } = given
  const fields = select === undefined ? table.fields : readSelect(select, table)
  const order = orderBy === undefined ? noOrder : readOrder(orderBy, table)
  if (!fields || order === undefined || !isWindow(take) || !isWindow(skip)) return undefined
  const window = `${take === undefined ? '' : 't'}${skip === undefined ? '' : 's'}`
  return {
    shape: `${select === undefined ? '' : fields.join()}|${order.sql}|${window}`,
    fields,
    orderBy: order.sql,
    orderFields: order.fields,
    take,
    skip,
    isTakeFixed: false,
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

interface Order {
  /** ` ORDER BY …`, or nothing. */
  readonly sql: string
  readonly fields: readonly string[]
}

const noOrder: Order = { sql: '', fields: [] }

function readOrder(orderBy: unknown, table: Table): Order | undefined {
  const parts: string[] = []
  const fields: string[] = []
  for (const part of Array.isArray(orderBy) ? (orderBy as readonly unknown[]) : [orderBy]) {
    if (!isPlain(part)) return undefined
    const entries = Object.entries(part).filter(([, direction]) => direction !== undefined)
    const [name = '', direction] = entries[0] ?? []
    const field = columnField(table, name)
    const sql = field && !field.isList && entries.length === 1 ? readDirection(direction, field) : undefined
    if (!field || sql === undefined) return undefined
    parts.push(`${columnSql(field)} ${sql}`)
    fields.push(name)
  }
  return parts.length === 0 ? noOrder : { sql: ` ORDER BY ${parts.join(', ')}`, fields }
}

const directions: Readonly<Record<string, string>> = { asc: 'ASC', desc: 'DESC' }
const nullOrders: Readonly<Record<string, string>> = { first: ' NULLS FIRST', last: ' NULLS LAST' }

function readDirection(given: unknown, { isRequired }: FieldMetadata): string | undefined {
  if (typeof given === 'string') return directions[given]
  if (!isPlain(given)) return undefined
  const { sort, nulls, ...others } = given
  const direction = directions[String(sort)]
  if (direction === undefined || Object.keys(others).length > 0) return undefined
  if (nulls === undefined) return direction
  const order = isRequired ? undefined : nullOrders[String(nulls)]
  return order === undefined ? undefined : direction + order
}
