import type { RangeVar } from 'libpg-query'
import { type QualifiedName, rangeName } from '../sql/names.ts'

/** PostgreSQL's table locks, weakest first: https://www.postgresql.org/docs/current/explicit-locking.html */
export const lockModes = [
  'AccessShare',
  'RowShare',
  'RowExclusive',
  'ShareUpdateExclusive',
  'Share',
  'ShareRowExclusive',
  'Exclusive',
  'AccessExclusive',
] as const

/** One of PostgreSQL's table locks. */
export type LockMode = (typeof lockModes)[number]

/** What a statement does to a table that is there already. */
export interface TableEffect {
  readonly table: QualifiedName
  readonly lock: LockMode
  /** Writes the whole table anew, indexes included, while the lock is held. */
  readonly rewrites: boolean
  /** Reads the whole table while the lock is held. */
  readonly scans: boolean
}

/** One table's part in a statement. */
export function effect(
  table: QualifiedName,
  lock: LockMode,
  work: 'rewrites' | 'scans' | 'none' = 'none',
): TableEffect {
  return { table, lock, rewrites: work === 'rewrites', scans: work !== 'none' }
}

/** The same for a table as the parser has it; nothing where there is none. */
export function on(
  relation: RangeVar | undefined,
  lock: LockMode,
  work?: 'rewrites' | 'scans' | 'none',
): readonly TableEffect[] {
  return relation ? [effect(rangeName(relation), lock, work)] : []
}
