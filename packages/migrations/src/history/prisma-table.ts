import { randomUUID } from 'node:crypto'
import type { SqlExecutor } from '@org/db-core'
import { quote } from '../session.ts'

/** A row of `_prisma_migrations`. */
export interface HistoryRow {
  readonly id: string
  readonly name: string
  readonly checksum: string
  readonly startedAt: Date
  readonly finishedAt: Date | null
  readonly rolledBackAt: Date | null
  readonly logs: string | null
}

/** Prisma's own table, written exactly as Prisma writes it, so that both can go on from where the other stopped. */
export interface PrismaTable {
  /** The rows, oldest first; `undefined` where there is no table. */
  read(sql: SqlExecutor): Promise<readonly HistoryRow[] | undefined>
  ensure(sql: SqlExecutor): Promise<void>
  insert(
    sql: SqlExecutor,
    row: { readonly id: string; readonly name: string; readonly checksum: string },
  ): Promise<void>
  /** Done: `applied_steps_count` counts files, of which Prisma knows one a migration. */
  finish(sql: SqlExecutor, id: string): Promise<void>
  fail(sql: SqlExecutor, id: string, logs: string): Promise<void>
  rolledBack(sql: SqlExecutor, id: string): Promise<void>
  /** Applied without being run, as `prisma migrate resolve --applied` records it. */
  insertApplied(sql: SqlExecutor, row: { readonly name: string; readonly checksum: string }): Promise<string>
  setChecksum(sql: SqlExecutor, id: string, checksum: string): Promise<void>
}

/** The table in one PostgreSQL schema. */
export function prismaTable(schema: string): PrismaTable {
  const table = `${quote(schema)}."_prisma_migrations"`
  return {
    async read(sql) {
      const [found] = await sql.query<{ present: boolean }>('SELECT to_regclass($1) IS NOT NULL AS present', [
        table,
      ])
      if (!found?.present) return undefined
      return sql.query<HistoryRow>(
        `SELECT id, migration_name AS name, checksum, started_at AS "startedAt", finished_at AS "finishedAt",
                rolled_back_at AS "rolledBackAt", logs
           FROM ${table} ORDER BY started_at, migration_name`,
      )
    },
    async ensure(sql) {
      await sql.query(`CREATE SCHEMA IF NOT EXISTS ${quote(schema)};
        CREATE TABLE IF NOT EXISTS ${table} (
          id                  VARCHAR(36) PRIMARY KEY NOT NULL,
          checksum            VARCHAR(64) NOT NULL,
          finished_at         TIMESTAMPTZ,
          migration_name      VARCHAR(255) NOT NULL,
          logs                TEXT,
          rolled_back_at      TIMESTAMPTZ,
          started_at          TIMESTAMPTZ NOT NULL DEFAULT now(),
          applied_steps_count INTEGER NOT NULL DEFAULT 0
        )`)
    },
    async insert(sql, { id, name, checksum }) {
      // Not now(), which is the same for everything in one transaction: the order of the rows is the order of the runs.
      await sql.query(
        `INSERT INTO ${table} (id, checksum, migration_name, started_at) VALUES ($1, $2, $3, clock_timestamp())`,
        [id, checksum, name],
      )
    },
    async finish(sql, id) {
      await sql.query(
        `UPDATE ${table} SET finished_at = clock_timestamp(), applied_steps_count = applied_steps_count + 1, logs = NULL WHERE id = $1`,
        [id],
      )
    },
    async fail(sql, id, logs) {
      await sql.query(`UPDATE ${table} SET logs = $2 WHERE id = $1`, [id, logs])
    },
    async rolledBack(sql, id) {
      await sql.query(`UPDATE ${table} SET rolled_back_at = clock_timestamp() WHERE id = $1`, [id])
    },
    async insertApplied(sql, { name, checksum }) {
      const id = randomUUID()
      await sql.query(
        `INSERT INTO ${table} (id, checksum, migration_name, started_at, finished_at)
         VALUES ($1, $2, $3, clock_timestamp(), clock_timestamp())`,
        [id, checksum, name],
      )
      return id
    },
    async setChecksum(sql, id, checksum) {
      await sql.query(`UPDATE ${table} SET checksum = $2 WHERE id = $1`, [id, checksum])
    },
  }
}

/** Whether a row of Prisma's table is of a migration that is applied now. */
export const isApplied = (row: HistoryRow): boolean => row.finishedAt !== null && row.rolledBackAt === null
/** Whether it is of a migration that was begun, neither finished nor rolled back. */
export const isUnfinished = (row: HistoryRow): boolean => row.finishedAt === null && row.rolledBackAt === null
