import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import { classify } from '../../classify.ts'
import type { DatabaseErrorCode } from '../../database-error.ts'

type SqlDriverAdapter = Awaited<ReturnType<SqlDriverAdapterFactory['connect']>>
type Query = Parameters<SqlDriverAdapter['queryRaw']>[0]
type ResultSet = Awaited<ReturnType<SqlDriverAdapter['queryRaw']>>

/** What a replica's failure means. */
export interface Rescue {
  /** The server itself is in question. */
  readonly suspect: boolean
  /** Only the primary can do better: what is missing may not have arrived at any replica. */
  readonly primaryOnly: boolean
}

/** Answers a statement that a replica failed; throws `error` if nobody can. */
export type RescueQuery = (query: Query, rescue: Rescue, error: unknown) => Promise<ResultSet>

/**
 * A replica's adapter: a reading statement that fails because of the server, not because of itself, is answered by
 * another one. It happens below Prisma, so that interceptors, merged `findUnique` calls and relations see nothing.
 */
export function createReplicaAdapter(
  inner: SqlDriverAdapterFactory,
  rescue: RescueQuery,
): SqlDriverAdapterFactory {
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    async connect() {
      const adapter = await inner.connect()
      return {
        ...adapter,
        queryRaw: (query) =>
          adapter.queryRaw(query).catch((error: unknown) => {
            const found = rescueOf(error)
            if (!found) throw error
            return rescue(query, found, error)
          }),
      }
    },
  }
}

const ofServer: ReadonlySet<DatabaseErrorCode> = new Set([
  'DB_UNREACHABLE',
  'DB_AUTHENTICATION',
  'DB_DATABASE_MISSING',
  'DB_TLS',
  'DB_CONNECTION_LOST',
  'DB_SHUTDOWN',
])
/** Replay that needed what the statement used (40001, 40P01), or a server that is full. */
const ofMoment: ReadonlySet<DatabaseErrorCode> = new Set([
  'DB_TOO_MANY_CONNECTIONS',
  'DB_POOL_EXHAUSTED',
  'DB_OUT_OF_RESOURCES',
  'DB_SERIALIZATION',
  'DB_DEADLOCK',
])
/** A table or column of a migration that has not arrived; a read that writes, as some views do. */
const ofReplica: ReadonlySet<string> = new Set(['42P01', '42703', '25006'])

/** What a replica's failure means; `undefined` for one that another server would repeat. */
export function rescueOf(error: unknown): Rescue | undefined {
  const found = classify(error, { kind: 'read' })
  if (!found) return undefined
  const code = found.code as DatabaseErrorCode
  if (ofServer.has(code)) return { suspect: true, primaryOnly: false }
  if (ofMoment.has(code)) return { suspect: false, primaryOnly: false }
  const { sqlState } = found as { readonly sqlState?: string }
  return sqlState !== undefined && ofReplica.has(sqlState) ? { suspect: false, primaryOnly: true } : undefined
}
