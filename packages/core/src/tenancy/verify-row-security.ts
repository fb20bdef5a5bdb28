import type { SchemaMetadata } from '../metadata.ts'
import type { SqlExecutor } from '../sql.ts'
import { referenceSuffix } from './row-security-references.ts'
import { asSystem } from './system.ts'
import { type TenantModelOptions, tenantFields } from './tenant-models.ts'

/** What to look for. */
export interface VerifyRowSecurityOptions extends TenantModelOptions {
  readonly metadata: SchemaMetadata
  /** The setting that holds the tenant; every policy must read it. */
  readonly setting: string
}

/** Something by which a tenant's rows can be reached without its policy. */
export interface RowSecurityProblem {
  readonly kind: /** The connected role is a superuser or has BYPASSRLS, or can become one that is. */
    | 'role-bypasses'
    /** A table with a tenant's column and without row-level security. */
    | 'not-enabled'
    /** The owner of the table sees all rows. */
    | 'not-forced'
    /** No policy: nobody sees a row. */
    | 'no-policy'
    /** A policy that lets rows through without reading the setting. */
    | 'foreign-policy'
    /** A view that reads a tenant's table with the rights of its owner. */
    | 'view-of-owner'
    /** A materialised view of a tenant's table, which can have no policy. */
    | 'materialized-view'
    /** A table that refers to a tenant's table, such as a join table, and without row-level security. */
    | 'unprotected-reference'
    /** A foreign key between tenants' tables that may lead from one tenant to another. */
    | 'unchecked-reference'
  /** `schema.table`, or the role. */
  readonly subject: string
  /** The finding in one sentence. */
  readonly detail: string
}

/**
 * Looks through the connected database for holes in row-level security. Tables are found by the columns that
 * hold the tenant, whether the Prisma schema knows the tables or not. An empty list means that none was found
 * for the role that `sql` is connected as: run it as the application, in a test and at start.
 */
export async function verifyRowSecurity(
  sql: SqlExecutor,
  options: VerifyRowSecurityOptions,
): Promise<readonly RowSecurityProblem[]> {
  const columns = tenantColumns(options)
  return asSystem('verifying row-level security', async () => [
    ...(await roleProblems(sql)),
    ...(await tableProblems(sql, columns, options.setting)),
    ...(await viewProblems(sql, columns)),
    ...(await referenceProblems(sql, columns)),
    ...(await keyProblems(sql, columns)),
  ])
}

function tenantColumns({ metadata, ...options }: VerifyRowSecurityOptions): readonly string[] {
  const fields = [...tenantFields(metadata, options)]
  return [...new Set(fields.map(([model, field]) => metadata.models[model]?.fields[field]?.column ?? field))]
}

async function roleProblems(sql: SqlExecutor): Promise<readonly RowSecurityProblem[]> {
  const rows = await sql.query<{ name: string; rolsuper: boolean; isCurrent: boolean }>(`
    SELECT rolname AS name, rolsuper, rolname = current_user AS "isCurrent" FROM pg_roles
    WHERE (rolsuper OR rolbypassrls) AND pg_has_role(current_user, oid, 'MEMBER')
      AND (rolname = current_user OR NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user))
    ORDER BY rolname`)
  return rows.map(({ name, rolsuper, isCurrent }) => ({
    kind: 'role-bypasses',
    subject: name,
    detail: `${isCurrent ? 'The connected role' : `The role ${name}, which the connected one can become,`} ${rolsuper ? 'is a superuser' : 'has BYPASSRLS'}`,
  }))
}

/** Tables with a tenant's column, ours and the system's left out. */
const tenantTables = `
  SELECT DISTINCT c.oid, n.nspname || '.' || c.relname AS name, c.relkind, c.relrowsecurity, c.relforcerowsecurity,
    coalesce(array_to_string(c.reloptions, ','), '') AS options
  FROM pg_class c
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  WHERE a.attname = ANY($1) AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'orgdb')
    AND n.nspname NOT LIKE 'pg\\_%'`

async function tableProblems(
  sql: SqlExecutor,
  columns: readonly string[],
  setting: string,
): Promise<readonly RowSecurityProblem[]> {
  const tables = await sql.query<{
    name: string
    enabled: boolean
    forced: boolean
    policies: Policy[] | null
  }>(
    `SELECT t.name, t.relrowsecurity AS enabled, t.relforcerowsecurity AS forced,
       (SELECT json_agg(json_build_object('name', p.polname, 'permissive', p.polpermissive,
          'conditions', array_remove(ARRAY[pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)], NULL)))
        FROM pg_policy p WHERE p.polrelid = t.oid) AS policies
     FROM (${tenantTables}) t WHERE t.relkind IN ('r', 'p') ORDER BY t.name`,
    [columns],
  )
  return tables.flatMap(({ name, enabled, forced, policies }): readonly RowSecurityProblem[] => {
    if (!enabled) return [{ kind: 'not-enabled', subject: name, detail: `${name} has no row-level security` }]
    const foreign = (policies ?? []).filter(
      ({ permissive, conditions }) =>
        permissive && conditions.some((each) => !each.includes(`current_setting('${setting}'`)),
    )
    return [
      ...(forced
        ? []
        : [{ kind: 'not-forced' as const, subject: name, detail: `The owner of ${name} sees every row` }]),
      ...(policies ? [] : [{ kind: 'no-policy' as const, subject: name, detail: `${name} has no policy` }]),
      ...foreign.map((policy) => ({
        kind: 'foreign-policy' as const,
        subject: name,
        detail: `The policy ${policy.name} of ${name} does not read ${setting}`,
      })),
    ]
  })
}

interface Policy {
  readonly name: string
  readonly permissive: boolean
  readonly conditions: readonly string[]
}

async function viewProblems(
  sql: SqlExecutor,
  columns: readonly string[],
): Promise<readonly RowSecurityProblem[]> {
  const rows = await sql.query<{ name: string; relkind: string }>(
    `WITH tables AS (${tenantTables} AND c.relkind IN ('r', 'p'))
     SELECT DISTINCT n.nspname || '.' || c.relname AS name, c.relkind
     FROM pg_depend d
     JOIN pg_rewrite r ON r.oid = d.objid AND d.classid = 'pg_rewrite'::regclass
     JOIN pg_class c ON c.oid = r.ev_class
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN tables t ON t.oid = d.refobjid AND d.refclassid = 'pg_class'::regclass
     WHERE c.relkind = 'm'
       OR (c.relkind = 'v' AND NOT coalesce(c.reloptions && ARRAY['security_invoker=true', 'security_invoker=on'], false))
     ORDER BY 1`,
    [columns],
  )
  return rows.map(({ name, relkind }) =>
    relkind === 'm'
      ? {
          kind: 'materialized-view',
          subject: name,
          detail: `${name} holds rows of all tenants and can have no policy`,
        }
      : {
          kind: 'view-of-owner',
          subject: name,
          detail: `${name} reads with the rights of its owner, not the caller's`,
        },
  )
}

async function referenceProblems(
  sql: SqlExecutor,
  columns: readonly string[],
): Promise<readonly RowSecurityProblem[]> {
  const rows = await sql.query<{ name: string; target: string }>(
    `WITH tables AS (${tenantTables} AND c.relkind IN ('r', 'p'))
     SELECT DISTINCT n.nspname || '.' || c.relname AS name, t.name AS target
     FROM pg_constraint k
     JOIN pg_class c ON c.oid = k.conrelid
     JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN tables t ON t.oid = k.confrelid
     WHERE k.contype = 'f' AND NOT c.relrowsecurity AND c.oid NOT IN (SELECT oid FROM tables)
     ORDER BY 1, 2`,
    [columns],
  )
  return rows.map(({ name, target }) => ({
    kind: 'unprotected-reference',
    subject: name,
    detail: `${name} refers to ${target} and has no row-level security`,
  }))
}

/** Foreign keys that leave the tenant out and have no trigger of ours, which is known by its name. */
async function keyProblems(
  sql: SqlExecutor,
  columns: readonly string[],
): Promise<readonly RowSecurityProblem[]> {
  const rows = await sql.query<{ name: string; key: string; target: string }>(
    `WITH tables AS (${tenantTables} AND c.relkind IN ('r', 'p'))
     SELECT s.name, k.conname AS key, t.name AS target
     FROM pg_constraint k
     JOIN tables s ON s.oid = k.conrelid
     JOIN tables t ON t.oid = k.confrelid
     WHERE k.contype = 'f' AND k.conparentid = 0
       AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY(k.confkey) AND a.attname = ANY($1))
       AND NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = k.conrelid AND g.tgenabled IN ('O', 'A')
         AND right(g.tgname, $2) = $3 AND k.conkey <@ string_to_array(g.tgattr::text, ' ')::int2[])
     ORDER BY 1, 2`,
    [columns, referenceSuffix.length, referenceSuffix],
  )
  return rows.map(({ name, key, target }) => ({
    kind: 'unchecked-reference',
    subject: name,
    detail: `The foreign key ${key} of ${name} lets a tenant refer to rows of others in ${target}`,
  }))
}
