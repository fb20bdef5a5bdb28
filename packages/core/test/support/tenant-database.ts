import { readFile } from 'node:fs/promises'
import { type TestDatabase, testDatabase } from '@org/db-testing'
import pg from 'pg'

const migrations = ['0001_init/migration.sql', '0003_tenant/migration.sql']

/** A fresh database with the workspace's tables, those of tenants included. */
export async function tenantDatabase(): Promise<TestDatabase> {
  const texts = await Promise.all(
    migrations.map((name) =>
      readFile(new URL(`../../../../prisma/migrations/${name}`, import.meta.url), 'utf8'),
    ),
  )
  return testDatabase({ name: 'tenants', setup: texts.join('\n') })
}

/** Runs SQL as the server's superuser, past every policy, and returns the rows. */
export async function asSuperuser<Row extends object = Record<string, unknown>>(
  url: string,
  sql: string,
  params: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const result: unknown = await (params.length > 0 ? client.query(sql, [...params]) : client.query(sql))
    return (result as { rows?: readonly Row[] }).rows ?? []
  } finally {
    await client.end()
  }
}

/** Makes a role that policies hold for, with rights on all tables, and returns its URL. */
export async function ordinaryRole(url: string): Promise<string> {
  const name = `app_${new URL(url).pathname.slice(1)}`.slice(0, 60).replaceAll(/[^a-z0-9_]/g, '_')
  await asSuperuser(
    url,
    `CREATE ROLE ${name} LOGIN PASSWORD 'app';
     GRANT ALL ON ALL TABLES IN SCHEMA public TO ${name};
     GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO ${name}`,
  )
  const own = new URL(url)
  own.username = name
  own.password = 'app'
  return own.href
}
