import type { DatabaseLike } from '@org/db-core'
import type { Target } from './target.ts'

const known = new WeakMap<DatabaseLike, Map<string, Promise<boolean>>>()

/** Whether the role may COPY into the table: PostgreSQL refuses it where policies hold. Asked once for each table. */
export function mayCopy({ database, table }: Target): Promise<boolean> | boolean {
  if (database.isScoped) return false
  const tables = known.get(database) ?? new Map<string, Promise<boolean>>()
  known.set(database, tables)
  const answer = tables.get(table) ?? ask(database, table)
  tables.set(table, answer)
  // What failed is asked again.
  answer.catch(() => tables.delete(table))
  return answer
}

async function ask({ sql }: DatabaseLike, table: string): Promise<boolean> {
  const [row] = await sql.query<{ held: boolean }>('SELECT row_security_active($1::regclass) AS held', [
    table,
  ])
  return row?.held === false
}
