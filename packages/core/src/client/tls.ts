import type pg from 'pg'
import type { DatabaseConfig } from '../config.ts'

/** TLS as node-postgres wants it. */
export function toTls(ssl: DatabaseConfig['ssl']): pg.PoolConfig['ssl'] {
  const { mode, ca, cert, key } = ssl
  if (mode === 'disable') return false
  return {
    rejectUnauthorized: mode !== 'require',
    // As libpq: `verify-ca` checks who signed the certificate, not for which host.
    ...(mode === 'verify-ca' && { checkServerIdentity: () => undefined }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  }
}
