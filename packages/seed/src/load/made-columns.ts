import type { SqlExecutor } from '@org/db-core'
import { idMakerOf, type MakeId } from './made-id.ts'
import type { Column, Target } from './target.ts'

/** A column that Prisma's client would fill. */
export interface MadeColumn {
  readonly column: Column
  readonly make: MakeId
}

/** Those that rows don't give. */
export function madeColumns({ columns }: Target, given: ReadonlySet<string>): readonly MadeColumn[] {
  return [...columns.values()].flatMap((column) => {
    const make = given.has(column.name) ? undefined : idMakerOf(column.field)
    return make ? [{ column, make }] : []
  })
}

/** A row that is there under another key may have what was made for this one: its key was changed since. */
export async function makeAnew(
  made: readonly MadeColumn[],
  {
    sql,
    stage,
    table,
    matches,
  }: { readonly sql: SqlExecutor; readonly stage: string; readonly table: string; readonly matches: string },
): Promise<void> {
  for (const { column } of made) {
    await sql.query(
      `UPDATE ${stage} s SET ${column.sql} = ${isUuid(column) ? 'gen_random_uuid()' : randomLike(`s.${column.sql}`)}
         FROM ${table} o WHERE o.${column.sql} = s.${column.sql} AND NOT EXISTS (SELECT FROM ${table} t WHERE ${matches})`,
    )
  }
}

/** A text by chance of the same length, first letter and case: hexadecimal digits are letters of all these ids. */
function randomLike(text: string): string {
  const random = 'md5(random()::text || clock_timestamp()::text) || md5(random()::text)'
  const cased = `CASE WHEN ${text} = upper(${text}) THEN upper(${random}) ELSE ${random} END`
  return `left(${text}, 1) || substr(${cased}, 1, length(${text}) - 1)`
}

function isUuid({ field }: Column): boolean {
  return field.default !== undefined && 'function' in field.default && field.default.function === 'uuid'
}
