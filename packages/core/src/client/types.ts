import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import type pg from 'pg'
import type { DatabaseConfig, DatabaseConfigInput } from '../config.ts'
import type { ContextOptions } from '../context.ts'
import type { DatabaseEvents, Events } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { Interceptor, TransactionHook } from '../operation.ts'
import type { SqlClient } from '../sql.ts'
import type { DatabaseHealth } from './health.ts'
import type { Logger } from './log-events.ts'
import type { ConnectionMetrics, PoolMetrics } from './pool.ts'
import type { ReplicaMetrics } from './replicas/node.ts'
import type { RowSecurityOptions, TenantSchemaOptions } from './row-security.ts'
import type { StatementMetrics } from './statement-metrics.ts'
import type { Transaction } from './transaction-scope.ts'

/** What is required of a Prisma client; every generated client and every extended one has it. */
export interface PrismaClientLike {
  $extends: unknown
  $transaction: unknown
  $disconnect: () => Promise<void>
}

/** How `createDatabase` is told what to do. */
export interface DatabaseOptions<Client extends PrismaClientLike> extends DatabaseConfigInput {
  /**
   * Makes the Prisma client on the given adapter: `(adapter) => new PrismaClient({ adapter })`. Own extensions
   * belong in here too, `new PrismaClient({ adapter }).$extends(…)`, so that transactions see them.
   */
  readonly client: (adapter: SqlDriverAdapterFactory) => Client
  /** What the generator `db-metadata` wrote; it lets errors name fields and packages know keys and annotations. */
  readonly metadata?: SchemaMetadata
  /** What stands between callers and the database; the order comes from the stages. Default: nothing. */
  readonly use?: readonly Interceptor[]
  /**
   * Tells PostgreSQL's row-level security the tenant of each statement, and refuses statements without one. It
   * needs `metadata`, and policies: see `rowSecurityPolicies`. Default: none.
   */
  readonly rowSecurity?: RowSecurityOptions
  /**
   * For tenants with a schema each: every statement runs with the schema of its tenant as search path, on the one
   * pool, and is refused without a tenant. Models with an `@@schema` of their own stay where they are. It needs
   * `metadata`. Default: none.
   */
  readonly tenantSchema?: TenantSchemaOptions
  /**
   * Whether lookups by unique keys, lists of equalities and counts go past Prisma's client, by prepared statements on
   * the same pool. They pass all interceptors and return what Prisma would. It takes `metadata`, and a client without
   * extensions, query log and SQL comments; without them Prisma answers everything, and so
   * it does with `tenantSchema`. Default `true`.
   */
  readonly fastPath?: boolean
  /**
   * Whether statements that come again and again are kept prepared on their connections, Prisma's and those of the fast
   * path: the server then need not read them anew, nor plan them where one plan is good for all values. At most 250 of
   * Prisma's per connection, and none behind a pooler of transactions. Default `true`.
   * https://www.postgresql.org/docs/current/sql-prepare.html
   */
  readonly preparedStatements?: boolean
  /**
   * Makes the call return the living instance of that name in this process, if it was made from the same: for
   * frameworks that reload modules. Compared are the configuration, the source of functions, the schema and every
   * interceptor's name, stage and `options`. Where anything differs, the living one is closed and replaced. Default: none.
   */
  readonly instance?: string
  /** Takes what `logging.level` lets pass; a pino logger fits. Default: none. */
  readonly logger?: Logger
}

/** How a transaction runs. */
export interface TransactionOptions {
  /** What becomes of a transaction around it. Default `nested`. */
  readonly propagation?: Propagation
  /** Default: the server's, usually `ReadCommitted`. Refused where no new transaction is begun. */
  readonly isolationLevel?: 'ReadUncommitted' | 'ReadCommitted' | 'RepeatableRead' | 'Serializable'
  /**
   * Longest run. Then the running statement is cancelled on the server, everything is rolled back and the call
   * rejects with DB_TIMEOUT, even if `fn` goes on. Default: `transactionTimeoutMs` of the configuration; in a
   * savepoint none of its own.
   */
  readonly timeoutMs?: number
  /** Longest wait for a connection. Default: `pool.connectTimeoutMs`. Refused where no new transaction is begun. */
  readonly maxWaitMs?: number
  /** Longest wait for one lock, then DB_LOCK_TIMEOUT. Default: the server's. Refused as `isolationLevel`. */
  readonly lockTimeoutMs?: number
  /** Lets the server refuse writes (DB_READ_ONLY). Default `false`. Refused as `isolationLevel`. */
  readonly readOnly?: boolean
  /** Waits for a snapshot that can't fail; with `Serializable` and `readOnly`. Refused as `isolationLevel`. */
  readonly deferrable?: boolean
  /** Ends the transaction: cancels the running statement, rolls back, rejects with DB_CANCELLED. */
  readonly signal?: AbortSignal
}

/**
 * What `db.transaction` does with a transaction around it.
 * `nested`: a savepoint in it; a new one where there is none.
 * `required`: joins it, and if this part throws the whole can only roll back; a new one where there is none.
 * `requires-new`: always a new one, on another connection: beware of a full pool.
 * `supports`: joins it; none where there is none.
 * `mandatory`: joins it; an error where there is none.
 * `never`: an error inside one.
 * `not-supported`: runs outside of it, on other connections.
 */
export type Propagation =
  | 'nested'
  | 'required'
  | 'requires-new'
  | 'supports'
  | 'mandatory'
  | 'never'
  | 'not-supported'

/** Figures of one database object since its creation. */
export interface DatabaseMetrics {
  readonly pool: PoolMetrics
  readonly connections: ConnectionMetrics
  readonly queries: StatementMetrics
  /** Empty where no replicas are configured. */
  readonly replicas: readonly ReplicaMetrics[]
}

/** What `db.run` takes. */
export interface RunOptions extends ContextOptions {
  /** A token of `db.consistencyToken()`: reads see at least what was written then. Default: none. */
  readonly consistency?: string
}

/** What a database object offers beside the Prisma client's own models and methods. */
export interface DatabaseMethods<Client> {
  /**
   * Opens a connection, runs a query on it and finds out how the pool's connections reach PostgreSQL.
   * @throws DatabaseError saying what is wrong; ConfigError when `pool.mode` says something else than is found
   */
  connect(): Promise<void>
  /** Refuses new work, waits for what is in progress, closes all connections. Later calls do nothing more. */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>
  /**
   * Runs `fn` in a context: who asks, for which tenant, until when, having seen what. What is written inside is seen by
   * all reads inside, whichever server they go to; use one for each request.
   * @throws DatabaseError DB_VALIDATION when `consistency` is no token
   */
  run<T>(context: RunOptions, fn: () => T): T
  /**
   * What the current context has written or was told to see, as a short text for a header or a cookie: reads of
   * another `db.run({ consistency }, …)`, also in another process, are no older. `undefined` where it has not written.
   */
  consistencyToken(): Promise<string | undefined>
  /** The client whose reads go to the primary too. */
  readonly primary: Client
  /**
   * The client whose reads, raw ones too, go to a replica whatever was written, never to the primary and not into the
   * ambient transaction; DB_UNREACHABLE when no replica can serve, DB_READ_ONLY for everything but reads. Where no
   * replicas are configured it is the primary's.
   */
  readonly replica: Client
  /**
   * Runs `fn` in a transaction that everything inside joins by itself, and commits when it resolves; inside
   * another transaction it is a savepoint. Nested ones that are started together run one after the other.
   * @throws DatabaseError DB_TRANSACTION_ABORTED when a failure was swallowed inside and nothing is stored;
   * DB_TRANSACTION_MISUSE when calls were made inside and not awaited; DB_AMBIGUOUS_COMMIT when the connection
   * broke during COMMIT and PostgreSQL could not be asked what became of it
   */
  transaction<T>(fn: (tx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>
  /** Runs `hook` after COMMIT of the current transaction; at once where there is none. */
  afterCommit(hook: TransactionHook): void
  /** Runs `hook` after a rollback of the current transaction; never where there is none. */
  afterRollback(hook: TransactionHook): void
  /** Whether the running code is inside a transaction of this database. */
  readonly inTransaction: boolean
  /** SQL of your own; joins the ambient transaction. */
  readonly sql: SqlClient
  readonly events: Events<DatabaseEvents>
  metrics(): DatabaseMetrics
  /** Runs a query through the pool and says how the database is. Never rejects. */
  health(): Promise<DatabaseHealth>
  /**
   * Runs `fn` on a connection of its own, outside of pool and transaction, for what lives as long as a session:
   * LISTEN, session advisory locks, COPY. It goes to `directUrl` where there is one, and ends with `fn`.
   * @throws DatabaseError DB_SESSION_REQUIRED when only a pooler in transaction mode can be reached
   */
  session<T>(fn: (client: pg.Client) => Promise<T>): Promise<T>
  readonly config: DatabaseConfig
  readonly metadata: SchemaMetadata | undefined
  /** The client alone, for a model whose name one of these methods takes: `db.$client.transaction`. */
  readonly $client: Client
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * The user's client and our methods. Models and raw queries join the ambient transaction. `$extends` is not
 * to be had: transactions would not see the extension; it belongs into the option `client`.
 */
export type Database<Client> = Client & DatabaseMethods<Client> & { readonly $extends: never }
