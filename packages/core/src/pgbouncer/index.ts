export { type PgBouncerSizes, pgBouncerIni } from './pgbouncer-ini.ts'
