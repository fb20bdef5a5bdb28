import type { Environment } from '@org/db-core'
import type { SeedDatabase } from './client-types.ts'
import type { LoadMode } from './load/table-load.ts'
import { runSeeder } from './run-seeder.ts'
import type { SeedResult } from './seed-result.ts'
import type { SeedWork } from './seed-work.ts'
import type { SeedTier } from './tier.ts'

/** What one seeder is run with. */
export interface SeederOptions<Db> {
  readonly db: Db
  /** Whose; required by seeders of the tier `organisations`. */
  readonly organisation?: string
  /** The same seed gives the same rows. Default 1. */
  readonly seed?: string | number
  /** Multiplies what `work.count` says. Default 1. */
  readonly scale?: number
  /** Compares all rows, also where the ledger says that they are there. Default `false`. */
  readonly force?: boolean
  /** Longest run of the seeder's transaction. Default 3,600,000. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
  /** Hears how far it is. */
  readonly onProgress?: (progress: SeedProgress) => void
}

/** How far a seeder is. */
export interface SeedProgress {
  readonly seeder: string
  readonly organisation: string | undefined
  readonly mode: LoadMode
  readonly model: string
  readonly rows: number
}

/**
 * Rows that belong together, and how they come into the database. Extend it, give it a `name` and a `load`; the same
 * `load` seeds, validates and cleans.
 */
export abstract class BaseSeeder<Db extends SeedDatabase = SeedDatabase> {
  /** Names it in the ledger, on the command line and in `dependsOn`. */
  abstract readonly name: string
  /** Default `demo`. */
  readonly tier: SeedTier = 'demo'
  /** Names of seeders that must have run before, of this tier or an earlier one. Default none. */
  readonly dependsOn: readonly string[] = []
  /**
   * Where it runs. Default: `reference` everywhere, the others everywhere but in production; a demo can't be in production.
   */
  readonly environments: readonly Environment[] | undefined = undefined
  /** Another version makes it run again; so does another seed or scale, or another text of the class. Default 1. */
  readonly version: string | number = 1

  /** Puts the rows. What it does otherwise, by `work.db`, it must leave to `work.mode === 'seed'`. */
  abstract load(work: SeedWork<Db>): Promise<void>

  /** What is wrong with what is there, a sentence each; asked when validating. Default nothing. */
  check(_work: SeedWork<Db>): Promise<readonly string[]> {
    return Promise.resolve([])
  }

  /** Stores what is missing and changes what differs, in one transaction. Failures are in the result. */
  seed(options: SeederOptions<Db>): Promise<SeedResult> {
    return runSeeder(this, options, 'seed')
  }

  /** Compares what is there with what should be, and writes nothing. */
  validate(options: SeederOptions<Db>): Promise<SeedResult> {
    return runSeeder(this, options, 'validate')
  }

  /** Removes the rows that it has put, found by their keys, and no others; never in production. */
  clean(options: SeederOptions<Db>): Promise<SeedResult> {
    return runSeeder(this, options, 'clean')
  }
}
