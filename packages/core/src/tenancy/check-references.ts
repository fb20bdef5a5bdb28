import type { ModelMetadata } from '../metadata.ts'
import type { SqlExecutor } from '../sql.ts'
import { type Reference, refusal, type Scope } from './scope.ts'

/** How many references one statement looks up; PostgreSQL takes 65,535 parameters. */
const chunkSize = 5_000

/**
 * Looks up the rows that foreign keys lead to. A row's tenant never changes, so looking before writing is
 * enough; that the row still exists is what the foreign key sees to.
 */
export async function checkReferences(
  scope: Scope,
  sql: SqlExecutor,
  schema: string | undefined,
): Promise<void> {
  for (const references of grouped(scope.references)) {
    for (let start = 0; start < references.length; start += chunkSize) {
      await lookUp(references.slice(start, start + chunkSize), scope, sql, schema)
    }
  }
}

/** By relation, each key once. */
function grouped(references: readonly Reference[]): readonly (readonly Reference[])[] {
  const groups = new Map<string, Map<string, Reference>>()
  for (const reference of references) {
    const group = `${reference.model}.${reference.field}`
    const keys = groups.get(group) ?? new Map<string, Reference>()
    groups.set(group, keys.set(reference.values.map(String).join('\n'), reference))
  }
  return [...groups.values()].map((keys) => [...keys.values()])
}

async function lookUp(
  references: readonly Reference[],
  scope: Scope,
  sql: SqlExecutor,
  schema: string | undefined,
): Promise<void> {
  const [first] = references
  const target = first && scope.metadata.models[first.target]
  if (!first || !target) return
  const params: unknown[] = [scope.valueOf(first.target)]
  const columns = first.columns.map((name) => columnOf(target, name))
  const keys = references.map(
    ({ values }) => `(${values.map((value) => `$${params.push(value)}`).join(', ')})`,
  )
  const rows = await sql.query<{ found: string }>(
    `SELECT count(DISTINCT (${columns.join(', ')})) AS found FROM ${tableOf(target, schema)}
     WHERE (${columns.join(', ')}) IN (${keys.join(', ')})
       AND ${columnOf(target, scope.fieldOf(first.target) ?? '')} = $1`,
    params,
  )
  if (Number(rows[0]?.found) === references.length) return
  throw refusal(
    scope,
    first.model,
    'DB_TENANT_MISMATCH',
    `${first.field} refers to no ${first.target} of the tenant`,
  )
}

function tableOf({ table, schema }: ModelMetadata, fallback: string | undefined): string {
  const found = schema ?? fallback
  return found === undefined ? quoted(table) : `${quoted(found)}.${quoted(table)}`
}

function columnOf({ fields }: ModelMetadata, name: string): string {
  return quoted(fields[name]?.column ?? name)
}

/** A name as PostgreSQL reads it. */
export function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
