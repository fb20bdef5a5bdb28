import { arrayText } from './field-text.ts'
import type { RowGroup } from './rows.ts'
import { elementType, listCast } from './sql-type.ts'
import type { Column, Target } from './target.ts'

/** Texts of columns as a table of SQL. */
export interface Source {
  /** `SELECT unnest($1::integer[]) AS c0, …`, in the order of the rows. */
  readonly sql: string
  /** What the columns of the source are called: `u.c0::integer[]`. */
  readonly columns: readonly string[]
  readonly values: string[]
  /** The place of a row, counted from 1, as one more column of `sql`. */
  readonly place: string
}

/**
 * One parameter for each column, so that their number never depends on that of the rows. Functions in a SELECT list are
 * read row by row, where those in FROM would first be written to a table of their own.
 */
export function sourceOf(columns: readonly Column[], texts: RowGroup['texts'], target: Target): Source {
  const parameters = columns.map(({ field }, index) => `$${index + 1}::${elementType(field, target)}[]`)
  const lists = parameters.map((parameter, index) => `unnest(${parameter}) AS c${index}`)
  return {
    sql: `SELECT ${lists.join(', ')}`,
    columns: columns.map(({ field }, index) => `u.c${index}${listCast(field, target)}`),
    place: `generate_subscripts(${parameters[0]}, 1)`,
    values: columns.map(({ isPlain }, index) =>
      arrayText((texts[index] ?? []) as readonly (string | null)[], isPlain),
    ),
  }
}

/** Rows of which each value is a parameter or left to the database: `VALUES ($1, DEFAULT), …`. */
export function mixedRows({ columns, texts, places }: RowGroup): {
  readonly sql: string
  readonly values: string[]
} {
  const values: string[] = []
  const rows = places.map((_, row) => {
    const parts = columns.map((_, index) => {
      const text = texts[index]?.[row]
      return text === undefined ? 'DEFAULT' : text === null ? 'NULL' : `$${values.push(text)}`
    })
    return `(${parts.join(', ')})`
  })
  return { sql: `VALUES ${rows.join(', ')}`, values }
}
