import { DbError } from '@org/db-core'

/** Every code of seeding's own errors; the database's are core's. */
export type SeedErrorCode =
  /** Seeders don't fit together: two of one name, an unknown dependency, a circle, a demo for production. */
  | 'DB_SEED_OPTIONS'
  /** What was asked for is not done here: production, or a database that is marked as another environment's. */
  | 'DB_SEED_REFUSED'
  /** A row can't be loaded: other fields than the first, an unknown field, no key, a value of another type. */
  | 'DB_SEED_ROW'
  /** An interceptor makes of the rows what can't be loaded in bulk. */
  | 'DB_SEED_INTERCEPTED'
  /** There is no seeder, or no model, of that name. */
  | 'DB_SEED_NOT_FOUND'
  /** A seeder has nothing to do with a failure, but needs one that has failed. */
  | 'DB_SEED_BLOCKED'

/** A failure of seeding itself. */
export class SeedError extends DbError<SeedErrorCode> {}
