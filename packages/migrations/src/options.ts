import { type DatabaseConfig, type DatabaseConfigInput, parseConfig, type SchemaPackage } from '@org/db-core'
import { MigrationError } from './errors.ts'
import type { MigrationEvent } from './events.ts'
import { optionProblems } from './options-check.ts'
import type { Strategy } from './strategy.ts'

/** Where the migrations and the database are. `{ ...fromEnv(), directory }` is enough. */
export interface MigratorOptions
  extends Pick<
    DatabaseConfigInput,
    | 'url'
    | 'host'
    | 'port'
    | 'user'
    | 'password'
    | 'database'
    | 'directUrl'
    | 'shadowUrl'
    | 'schema'
    | 'ssl'
    | 'environment'
  > {
  /** The folder of migrations: `prisma/migrations`. */
  readonly directory: string
  /** Files or folders of the Prisma schema, for `create` and `drift`: `prisma/schema`. */
  readonly prismaSchema?: string
  /**
   * A PgBouncer in session mode stands before the server. Without it every pooler is refused, for sure; with it, a pooler
   * in another mode is found out unless it is busy. Default `false`.
   */
  readonly sessionPooler?: boolean
  /** Longest wait for another runner, Prisma's included, to finish. Default 60,000. */
  readonly runnerWaitMs?: number
  /** Longest wait of a statement for a lock on a table, before it steps back and tries again. Default 2,000. */
  readonly lockTimeoutMs?: number
  /** How often a statement that found a lock taken, or a deadlock, is tried again. Default 10. */
  readonly lockRetries?: number
  /** Longest wait of a CONCURRENTLY statement for older transactions; it blocks nobody meanwhile. Default 600,000. */
  readonly concurrentWaitMs?: number
  readonly strategy?: Strategy
  /** Who deploys, for the record. Default: user and host. */
  readonly actor?: string
  /** Loads `data.ts`. Default: Node's `import`, and `tsx` where Node can't read TypeScript. */
  readonly loadModule?: (path: string) => Promise<unknown>
  /** The packages whose own tables `status` compares with the database. */
  readonly packages?: readonly SchemaPackage[]
  /** Hears what is going on. */
  readonly onProgress?: (event: MigrationEvent) => void
}

/** The options with defaults, and the addresses as they are connected to. */
export interface Settings {
  readonly directory: string
  readonly prismaSchema: string | undefined
  /** The way around a pooler where there is one. `create` and an offline `lint` do without any address. */
  readonly url: string | undefined
  readonly shadowUrl: string | undefined
  /** The PostgreSQL schema of the history, as Prisma has it. */
  readonly schema: string
  /** Whether the schema was asked for, and so belongs first into the search path. */
  readonly schemaGiven: boolean
  readonly ssl: DatabaseConfig['ssl']
  readonly environment: DatabaseConfig['environment']
  readonly sessionPooler: boolean
  readonly runnerWaitMs: number
  readonly lockTimeoutMs: number
  readonly lockRetries: number
  readonly concurrentWaitMs: number
  readonly strategy: Strategy
  readonly actor: string | undefined
  readonly loadModule: ((path: string) => Promise<unknown>) | undefined
  readonly packages: readonly SchemaPackage[]
  readonly emit: (event: MigrationEvent) => void
}

/** The address of the database. @throws MigrationError `DB_MIGRATIONS_OPTIONS` where none was given */
export function addressOf({ url }: Pick<Settings, 'url'>): string {
  if (url !== undefined) return url
  throw new MigrationError(
    'DB_MIGRATIONS_OPTIONS',
    'No database is named: set DATABASE_URL, or give the option url (--url on the command line)',
  )
}

/** Stands in where there is no address, so that the other fields are checked. */
const nowhere = 'postgresql://127.0.0.1/none'

/** @throws MigrationError `DB_MIGRATIONS_OPTIONS` naming every wrong option, ConfigError */
export function toSettings(options: MigratorOptions): Settings {
  const problems = optionProblems(options)
  if (problems.length > 0) {
    throw new MigrationError('DB_MIGRATIONS_OPTIONS', `Wrong options: ${problems.join('; ')}`, { problems })
  }
  const address = addressIn(options)
  const config = parseConfig({
    ...(address ?? { url: nowhere }),
    ...(options.ssl && { ssl: options.ssl }),
    ...(options.schema !== undefined && { schema: options.schema }),
    ...(options.shadowUrl !== undefined && { shadowUrl: options.shadowUrl }),
  })
  return {
    directory: options.directory,
    prismaSchema: options.prismaSchema,
    url: address && config.url,
    shadowUrl: config.shadowUrl,
    schema: config.schema ?? 'public',
    schemaGiven: config.schema !== undefined,
    ssl: config.ssl,
    environment: options.environment ?? 'development',
    sessionPooler: options.sessionPooler ?? false,
    runnerWaitMs: options.runnerWaitMs ?? 60_000,
    lockTimeoutMs: options.lockTimeoutMs ?? 2_000,
    lockRetries: options.lockRetries ?? 10,
    concurrentWaitMs: options.concurrentWaitMs ?? 600_000,
    strategy: options.strategy ?? {},
    actor: options.actor,
    loadModule: options.loadModule,
    packages: options.packages ?? [],
    emit: options.onProgress ?? (() => undefined),
  }
}

function addressIn(options: MigratorOptions): DatabaseConfigInput | undefined {
  const url = options.directUrl ?? options.url
  if (url !== undefined) return { url }
  const { host, port, user, password, database } = options
  if (host === undefined) return undefined
  const parts = Object.entries({ host, port, user, password, database })
  return Object.fromEntries(parts.filter(([, value]) => value !== undefined))
}
