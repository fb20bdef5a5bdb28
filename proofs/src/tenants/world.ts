import { readFile } from 'node:fs/promises'
import { rowSecurityPolicies } from '@org/db-core/tenancy'
import { metadata } from '@org/prisma/metadata'
import pg from 'pg'
import { numberOf, tenantFields, tenantName, textOf, uuidOf } from './marks.ts'

/** A database of tenants, and the superuser's view of it. */
export interface World {
  /** What the superuser sees that must not be; empty when all is well. */
  inspect(): Promise<readonly string[]>
  /** How many rows of a tenant a model has. */
  count(model: string, tenant: number): Promise<number>
  /** The URL of a role that policies hold for. */
  readonly applicationUrl: string
  sql(text: string): Promise<readonly Record<string, unknown>[]>
  close(): Promise<void>
}

/** How the tenants live. */
export interface WorldOptions {
  /** The superuser's, past PgBouncer. */
  readonly url: string
  readonly tenants: number
  /** Rows that each tenant has of each model. */
  readonly rows: number
  /** The last so many tenants do nothing, so that any change of their rows is somebody else's. */
  readonly idle: number
}

export const settings = { setting: 'app.tenant', bypassSetting: 'app.bypass' } as const

/** Creates tables, policies and rows; some rows refer to other tenants, as only raw SQL can have done it. */
export async function createWorld({ url, tenants, rows, idle }: WorldOptions): Promise<World> {
  const pool = new pg.Pool({ connectionString: url, max: 2 })
  const sql = async (text: string): Promise<readonly Record<string, unknown>[]> =>
    (await pool.query(text)).rows
  const tables = new URL(import.meta.resolve('@org/prisma/migrations/0003_tenant/migration.sql'))
  await sql(await readFile(tables, 'utf8'))
  await sql(rowSecurityPolicies({ metadata, ...settings }))
  await sql(`INSERT INTO region VALUES ('r1', 'one'), ('r2', 'two'), ('r3', 'three')`)
  for (let tenant = 0; tenant < tenants; tenant += 1) await sql(rowsOf(tenant, rows))
  const active = tenants - idle
  // Rows of active tenants lead to others: a task to a foreign project, a foreign task above it, a foreign label.
  await sql(`
    UPDATE task SET project_id = ((id / 1000000 + 7) % ${tenants} + 1) * 1000000 + 1 WHERE id % 1000000 = 3 AND id / 1000000 <= ${active};
    UPDATE task SET parent_id = ((id / 1000000 + 11) % ${tenants} + 1) * 1000000 + 2 WHERE id % 1000000 = 4 AND id / 1000000 <= ${active};
    INSERT INTO "_LabelToTask" SELECT l.id, t.id FROM task t JOIN label l
      ON l.tenant_id = 't' || lpad(((t.id / 1000000 + 3) % ${tenants})::text, 2, '0') AND l.id::text LIKE '%00000001'
      WHERE t.id % 1000000 = 5 AND t.id / 1000000 <= ${active}`)
  await sql(`
    DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'application') THEN
      CREATE ROLE application LOGIN PASSWORD 'application'; END IF; END $$;
    GRANT ALL ON ALL TABLES IN SCHEMA public TO application; GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO application`)
  const links = await crossLinks(sql)
  const untouched = await stateOf(sql, active, tenants)
  const applicationUrl = new URL(url)
  applicationUrl.username = 'application'
  applicationUrl.password = 'application'
  return {
    applicationUrl: applicationUrl.href,
    sql,
    async inspect() {
      const known = new Set(links)
      const changed =
        (await stateOf(sql, active, tenants)) === untouched ? [] : ['rows of idle tenants have changed']
      const fresh = (await crossLinks(sql))
        .filter((link) => !known.has(link))
        .map((link) => `a new link ${link}`)
      return [...changed, ...fresh, ...(await strayRows(sql))]
    },
    async count(model, tenant) {
      const { table, fields } = metadata.models[model] as (typeof metadata.models)[string]
      const column = fields[tenantFields.get(model) ?? '']?.column
      const [row] = await sql(
        `SELECT count(*)::int AS n FROM "${table}" WHERE "${column}" = '${tenantName(tenant)}'`,
      )
      return Number(row?.n)
    },
    close: () => pool.end(),
  }
}

function rowsOf(tenant: number, rows: number): string {
  const name = tenantName(tenant)
  const text = (value: string): string => `'${textOf(tenant, value)}-' || n`
  const start = numberOf(tenant, 0)
  const each = `FROM generate_series(1, ${rows}) AS n`
  const uuid = `('${uuidOf(tenant, 0).slice(0, 24)}' || lpad(n::text, 12, '0'))::uuid`
  return `
    INSERT INTO project (id, tenant_id, code, name) SELECT ${start} + n, '${name}', '${textOf(tenant, 'key-')}' || n, ${text('project')} ${each};
    INSERT INTO task (id, tenant_id, title, project_id) SELECT ${start} + n, '${name}', ${text('task')}, ${start} + n ${each};
    INSERT INTO comment (id, tenant_id, body, task_id) SELECT ${start} + n, '${name}', ${text('comment')}, ${start} + n ${each};
    INSERT INTO task_detail (task_id, tenant_id, text) SELECT ${start} + n, '${name}', ${text('detail')} ${each};
    INSERT INTO label (id, tenant_id, name) SELECT ${uuid}, '${name}', '${textOf(tenant, 'key-')}' || n ${each};
    INSERT INTO "_LabelToTask" SELECT ${uuid}, ${start} + n ${each};
    INSERT INTO bill (tenant_id, number, memo) SELECT '${name}', ${start} + n, ${text('memo')} ${each};
    INSERT INTO bill_line (tenant_id, bill_number, position, cents) SELECT '${name}', ${start} + n, ${start} + n, n ${each};`
}

type Sql = World['sql']

async function stateOf(sql: Sql, from: number, to: number): Promise<string> {
  const parts = [...tenantFields].map(([model, field]) => {
    const { table, fields } = metadata.models[model] as (typeof metadata.models)[string]
    const column = fields[field]?.column
    return `SELECT '${table}' AS name, coalesce(md5(string_agg(x::text, '|' ORDER BY x::text)), '') AS state FROM "${table}" x
      WHERE "${column}" >= '${tenantName(from)}' AND "${column}" < '${tenantName(to)}'`
  })
  return JSON.stringify(await sql(`${parts.join(' UNION ALL ')} ORDER BY name`))
}

/** References from one tenant's row to another's, by name. */
async function crossLinks(sql: Sql): Promise<readonly string[]> {
  const link = (from: string, key: string, to: string, id: string): string =>
    `SELECT '${from} ' || a.${key} || ' of ' || a.tenant_id || ' to ' || b.tenant_id AS link FROM ${from} a JOIN ${to} b ON b.${id} = a.${key} WHERE a.tenant_id <> b.tenant_id`
  const rows = await sql(`
    ${link('task', 'project_id', 'project', 'id')} UNION ALL ${link('task', 'parent_id', 'task', 'id')}
    UNION ALL ${link('comment', 'task_id', 'task', 'id')} UNION ALL ${link('task_detail', 'task_id', 'task', 'id')}
    UNION ALL SELECT 'label ' || l.id || ' with task ' || t.id FROM "_LabelToTask" j JOIN label l ON l.id = j."A" JOIN task t ON t.id = j."B" WHERE l.tenant_id <> t.tenant_id`)
  return rows.map((row) => String(row.link))
}

/** Rows whose texts or keys were written by another tenant than theirs. */
async function strayRows(sql: Sql): Promise<readonly string[]> {
  const parts = [...tenantFields].map(([model, tenantField]) => {
    const { table, fields, id } = metadata.models[model] as (typeof metadata.models)[string]
    const tenant = `"${fields[tenantField]?.column}"`
    const texts = Object.entries(fields).filter(
      ([name, { type, nativeType }]) => type === 'String' && !nativeType && name !== tenantField,
    )
    const numbers = Object.entries(fields).filter(([name, { type }]) => type === 'Int' && id.includes(name))
    const conditions = [
      ...texts.map(([, { column }]) => `left("${column}", 4) <> ${tenant} || ':' AND "${column}" <> ''`),
      ...numbers.map(
        ([, { column }]) => `'t' || lpad(("${column}" / 1000000 - 1)::text, 2, '0') <> ${tenant}`,
      ),
    ]
    const found = conditions.length > 0 ? conditions.join(' OR ') : 'false'
    return `SELECT '${table} of ' || ${tenant} || ': ' || left(x::text, 120) AS stray FROM "${table}" x WHERE ${found}`
  })
  return (await sql(parts.join(' UNION ALL '))).map((row) => `a stray row in ${String(row.stray)}`)
}
