import { DatabaseError } from '../../database-error.ts'

/** A position in PostgreSQL's log: https://www.postgresql.org/docs/current/datatype-pg-lsn.html */
export type Lsn = bigint

/** Reads `16/B374D848`. */
export function parseLsn(text: string): Lsn {
  const [high = '', low = ''] = text.split('/')
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`)
}

/** A position as a short text that fits in a header, a cookie or a URL: `1.16-B374D848`. */
export function toToken(lsn: Lsn): string {
  return `1.${(lsn >> 32n).toString(16)}-${(lsn & 0xffffffffn).toString(16)}`.toUpperCase()
}

/** @throws DatabaseError DB_VALIDATION for what `db.consistencyToken()` did not make */
export function fromToken(token: string): Lsn {
  const parts = /^1\.([0-9A-F]{1,8})-([0-9A-F]{1,8})$/i.exec(token)
  if (parts) return parseLsn(`${parts[1]}/${parts[2]}`)
  throw new DatabaseError('DB_VALIDATION', 'The consistency token is not one of db.consistencyToken()', {
    outcome: 'not-sent',
  })
}
