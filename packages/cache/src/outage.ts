import { isDbError } from '@org/db-core'

/** Codes of a database that does not answer, where an old value is better than none. */
const outages: readonly string[] = [
  'DB_UNREACHABLE',
  'DB_CONNECTION_LOST',
  'DB_TOO_MANY_CONNECTIONS',
  'DB_POOL_EXHAUSTED',
  'DB_SHUTDOWN',
  'DB_TIMEOUT',
  'DB_OUT_OF_RESOURCES',
  // Of @org/db-retry, which spares a database that does not answer or has too much to do.
  'DB_RETRY_CIRCUIT_OPEN',
  'DB_RETRY_BULKHEAD_FULL',
]

/** Whether the database could not be reached, or did not answer in time. */
export function isOutage(error: unknown): boolean {
  return outages.some((code) => isDbError(error, code))
}
