import type { DatabaseConfig } from '../config.ts'
import type { Interceptor, Stage } from '../operation.ts'
import { serverOf } from './failover/database-hosts.ts'

/** Stages that can change what a read returns. */
const telling: ReadonlySet<Stage> = new Set(['guard', 'validate', 'soft-delete', 'encrypt'])

/**
 * A text that differs for database objects whose reads may differ: by environment, servers, database, role, schema,
 * by how tenants are kept apart, and by the interceptors that change reads. It holds no password.
 */
export function sourceOf(
  config: DatabaseConfig,
  { use, tenants }: { readonly use: readonly Interceptor[]; readonly tenants: readonly string[] },
): string {
  const interceptors = use.filter(({ stage }) => telling.has(stage)).map(({ name }) => name)
  return JSON.stringify([
    config.environment,
    new URL(config.url).username,
    serverOf(config),
    config.schema ?? null,
    tenants,
    interceptors,
  ])
}
