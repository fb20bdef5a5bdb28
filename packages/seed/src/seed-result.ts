import type { TableCount } from './load/table-load.ts'
import type { SeedTier } from './tier.ts'

/** What became of one seeder. */
export interface SeedResult {
  readonly seeder: string
  readonly tier: SeedTier
  readonly organisation: string | undefined
  /**
   * `done`: it ran, whether it had to change anything or not. `unchanged`: the ledger says that it has run. `left-out`: not
   * in this environment. `failed`: nothing of it is stored; see `errors`.
   */
  readonly status: 'done' | 'unchanged' | 'left-out' | 'failed'
  /** Rows that were not there; when validating, that are missing. */
  readonly created: number
  /** Rows that had other values; when validating, that have. */
  readonly updated: number
  /** Rows that were there as they should be. */
  readonly unchanged: number
  readonly deleted: number
  readonly ms: number
  readonly tables: readonly TableCount[]
  /** What validating found wrong, a sentence each. */
  readonly problems: readonly string[]
  readonly errors: readonly Error[]
}

/** What became of all seeders of a run. */
export interface SeedReport {
  readonly results: readonly SeedResult[]
  readonly created: number
  readonly updated: number
  readonly unchanged: number
  readonly deleted: number
  readonly ms: number
  /** Nothing has failed, and validating has found nothing. */
  readonly ok: boolean
}

/** The sums. */
export function reportOf(results: readonly SeedResult[], ms: number): SeedReport {
  const sum = (name: 'created' | 'updated' | 'unchanged' | 'deleted'): number =>
    results.reduce((total, each) => total + each[name], 0)
  return {
    results,
    created: sum('created'),
    updated: sum('updated'),
    unchanged: sum('unchanged'),
    deleted: sum('deleted'),
    ms,
    ok: results.every(({ status, problems }) => status !== 'failed' && problems.length === 0),
  }
}
