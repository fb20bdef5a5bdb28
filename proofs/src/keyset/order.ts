import type { SqlExecutor } from '@org/db-core'
import type { Random } from './random.ts'

/** One entry of an `orderBy`. */
export type OrderEntry = Readonly<Record<string, unknown>>

const required = ['id', 'code', 'at']
const nullable = ['note', 'level', 'total', 'price', 'ratio', 'share', 'active', 'mood', 'day', 'exactAt']

/** One to three columns, each in any direction, with nulls where PostgreSQL puts them or elsewhere. */
export function randomOrder(random: Random): readonly OrderEntry[] {
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T
  const fields = [...required, ...nullable]
  const chosen = new Set(Array.from({ length: 1 + Math.floor(random() * 3) }, () => pick(fields)))
  return [...chosen].map((field) => {
    const sort = pick(['asc', 'desc'])
    const nulls = nullable.includes(field) ? pick(['first', 'last', undefined]) : undefined
    return { [field]: nulls === undefined ? sort : { sort, nulls } }
  })
}

/** The ids of the rows that stay, as PostgreSQL sorts them; within a millisecond as if it were one moment. */
export async function sortedIds(
  sql: SqlExecutor,
  orderBy: readonly OrderEntry[],
): Promise<readonly number[]> {
  const entries = orderBy.flatMap((entry) => Object.entries(entry)).map(([field, how]) => toSort(field, how))
  const last = entries.at(-1)?.sort ?? 'asc'
  const columns = entries.map(
    ({ column, sort, nulls }) => `${column} ${sort}${nulls ? ` NULLS ${nulls}` : ''}`,
  )
  const rows = await sql.query<{ id: number }>(
    `SELECT id FROM reading WHERE station = 'stays' ORDER BY ${[...columns, `id ${last}`].join(', ')}`,
  )
  return rows.map(({ id }) => id)
}

interface Sort {
  readonly column: string
  readonly sort: string
  readonly nulls: string | undefined
}

function toSort(field: string, how: unknown): Sort {
  const { sort, nulls } = (typeof how === 'object' ? how : { sort: how }) as { sort: string; nulls?: string }
  return { column: field === 'exactAt' ? `date_trunc('milliseconds', exact_at)` : `"${field}"`, sort, nulls }
}
