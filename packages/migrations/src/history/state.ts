import type { SqlExecutor } from '@org/db-core'
import { differsInLineEnds, type Migration } from '../folder.ts'
import { astHash } from '../sql/ast-hash.ts'
import { splitSql } from '../sql/parser.ts'
import { type DataRun, readDataRuns } from './data-ledger.ts'
import { type Run, readRuns } from './ledger.ts'
import { type HistoryRow, isApplied, isUnfinished, type PrismaTable } from './prisma-table.ts'

/**
 * Where one migration stands. `unfinished`: interrupted or failed here, the next deployment goes on. `failed`: failed
 * under Prisma, needs `resolve`. `rolling-back`: a rollback was interrupted. `missing`: applied, not in the folder.
 */
export type MigrationState = 'applied' | 'pending' | 'unfinished' | 'failed' | 'rolling-back' | 'missing'

/** One migration with all that is known about it. */
export interface KnownMigration {
  readonly name: string
  readonly state: MigrationState
  readonly migration: Migration | undefined
  /** The row that counts: the applied one, else the unfinished one. */
  readonly row: HistoryRow | undefined
  readonly up: Run | undefined
  readonly down: Run | undefined
  readonly data: DataRun | undefined
  readonly dataDown: DataRun | undefined
  /** The file has changed since, in more than comments, white space and line ends. */
  readonly edited: boolean
}

/** Folder and database side by side, in the order of names; what is only in the database stands where its name belongs. */
export async function readState(
  sql: SqlExecutor,
  table: PrismaTable,
  migrations: readonly Migration[],
): Promise<{ readonly hasHistory: boolean; readonly known: readonly KnownMigration[] }> {
  const rows = await table.read(sql)
  const runs = new Map((await readRuns(sql)).map((each) => [`${each.direction} ${each.id}`, each]))
  const data = new Map((await readDataRuns(sql)).map((each) => [`${each.direction} ${each.id}`, each]))
  const byName = groupBy(rows ?? [])
  const names = new Map<string, Migration | undefined>(migrations.map((each) => [each.name, each]))
  for (const name of byName.keys()) if (!names.has(name)) names.set(name, undefined)
  const known: KnownMigration[] = []
  for (const [name, migration] of [...names].sort(([a], [b]) =>
    Buffer.compare(Buffer.from(a), Buffer.from(b)),
  )) {
    const own = byName.get(name) ?? []
    const row = own.findLast(isApplied) ?? own.findLast(isUnfinished)
    if (!migration && !row) continue
    const up = row && runs.get(`up ${row.id}`)
    const down = row && runs.get(`down ${row.id}`)
    known.push({
      name,
      state: stateOf(migration, row, up, down),
      migration,
      row,
      up,
      down,
      data: row && data.get(`up ${row.id}`),
      dataDown: row && data.get(`down ${row.id}`),
      edited:
        migration !== undefined &&
        row !== undefined &&
        isApplied(row) &&
        (await isEdited(migration, row, up)),
    })
  }
  return { hasHistory: rows !== undefined && rows.length > 0, known }
}

function groupBy(rows: readonly HistoryRow[]): Map<string, HistoryRow[]> {
  const groups = new Map<string, HistoryRow[]>()
  for (const row of rows) groups.set(row.name, [...(groups.get(row.name) ?? []), row])
  return groups
}

function stateOf(
  migration: Migration | undefined,
  row: HistoryRow | undefined,
  up: Run | undefined,
  down: Run | undefined,
): MigrationState {
  if (!row) return 'pending'
  if (down && down.finishedAt === null) return 'rolling-back'
  if (isApplied(row)) return migration ? 'applied' : 'missing'
  return up ? 'unfinished' : 'failed'
}

async function isEdited(migration: Migration, row: HistoryRow, up: Run | undefined): Promise<boolean> {
  if (row.checksum === migration.checksum || differsInLineEnds(migration.sql, row.checksum)) return false
  if (!up) return true
  // A file that is no SQL any more has been edited, whatever it was.
  const statements = await splitSql(migration.sql).catch(() => undefined)
  return !statements || astHash(statements) !== up.astHash
}

/** Whether `data.ts` has still to be run for a migration whose SQL is applied. */
export function isDataPending({ migration, row, data }: KnownMigration): boolean {
  return migration?.dataFile !== undefined && row !== undefined && !data?.finishedAt
}
