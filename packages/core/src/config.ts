import type { HostAddress, SslMode, TargetSession } from './connection-url.ts'

/** A field's environment variable, by the field's path; `fromEnv` attaches it so that errors can name it. */
export const variablesKey: unique symbol = Symbol.for('@org/db-core/variables')

/** The environment a process runs in, and with it how strict the configuration is. */
export type Environment = 'development' | 'testing' | 'staging' | 'production'

/** How much reaches the logger. */
export type LogLevel = 'silent' | 'error' | 'warn' | 'info' | 'debug'

/** How the pool's connections reach PostgreSQL. */
export type PoolMode = 'direct' | 'transaction' | 'session'

/** Where reads go that are no part of a write. */
export type ReplicaMode = 'replica-by-default' | 'primary-by-default'

/** One read replica and how it is reached. */
export interface ReplicaConfig {
  /** The address, without parameters. */
  readonly url: string
  readonly weight: number
  readonly ssl: DatabaseConfig['ssl']
  readonly pool: DatabaseConfig['pool']
}

/** The configuration as a user gives it; everything but the address has a default. */
export interface DatabaseConfigInput {
  /** `staging` insists on TLS; `production` on TLS, `encryption` and `backup`. Default `development`. */
  readonly environment?: Environment
  /**
   * `postgresql://user:password@host:port/database?…`; Prisma 6's parameters are understood. With several servers,
   * `…@h1:5432,h2:5432/database?target_session_attrs=read-write`, connections go to the first that fits; unlike
   * libpq's, the default is `read-write`.
   */
  readonly url?: string
  /** Instead of `url`. */
  readonly host?: string
  /** Default 5432. */
  readonly port?: number
  readonly user?: string
  readonly password?: string
  readonly database?: string
  /** A way around PgBouncer, for what needs a session of its own: migrations, LISTEN, COPY. */
  readonly directUrl?: string
  /** An empty database in which migrations are tried out. */
  readonly shadowUrl?: string
  /** Read replicas, one server each; the same as `replicas.nodes` without weights. */
  readonly replicaUrls?: readonly string[]
  readonly replicas?: {
    /** More replicas than `replicaUrls` names; `weight` is the share of reads, default 1. */
    readonly nodes?: readonly { readonly url: string; readonly weight?: number }[]
    /** How old a replica's state may be until it is left out. Default 10,000. */
    readonly maxLagMs?: number
    /** How often replicas are asked how far they are. Default 1,000. */
    readonly checkIntervalMs?: number
    /** `primary-by-default`: only `db.replica` reads from replicas. Default `replica-by-default`. */
    readonly mode?: ReplicaMode
  }
  /** The PostgreSQL schema of the tables. Default: the role's `search_path`. */
  readonly schema?: string
  /** What `pg_stat_activity` shows. Default `org-db`. */
  readonly applicationName?: string
  /** TLS. Default: what `sslmode` in the URL says, else none. */
  readonly ssl?: {
    /** As libpq's `sslmode`. Default `verify-full`. */
    readonly mode?: SslMode
    /** PEM of the certificate authority. Default: Node's own list. */
    readonly ca?: string
    /** PEM of the client's certificate. */
    readonly cert?: string
    /** PEM of the client's key. */
    readonly key?: string
  }
  readonly pool?: {
    /**
     * `direct` for PostgreSQL itself, `transaction` or `session` for a PgBouncer in that mode; `connect()` checks
     * it. Default `detect`: `connect()` finds out, and until then nothing relies on a session.
     */
    readonly mode?: PoolMode | 'detect'
    /** Most connections of this process. Default 10. */
    readonly max?: number
    /** Connections that stay open when idle. Default 0. */
    readonly min?: number
    /** Longest wait for a connection, free or new. Default 5,000. */
    readonly connectTimeoutMs?: number
    /** How long an idle connection stays open; 0 for ever. Default 30,000. */
    readonly idleTimeoutMs?: number
    /** When a connection is replaced, idle or not in use; 0 never. Default 1,800,000. */
    readonly maxLifetimeMs?: number
  }
  /** Longest run of one statement; 0 for no limit. Default 30,000. */
  readonly queryTimeoutMs?: number
  /** Longest run of one transaction. Default 30,000. */
  readonly transactionTimeoutMs?: number
  /** Longest wait of `close()` for work in progress. Default 10,000. */
  readonly drainTimeoutMs?: number
  /** From when on a query counts as slow. Default 1,000. */
  readonly slowQueryMs?: number
  /** What reaches the `logger`. Default level `warn`. */
  readonly logging?: { readonly level?: LogLevel }
  /** Key of field encryption, at least 32 characters. Required in production. */
  readonly encryption?: { readonly key: string }
  /** Where backups go and how long they stay (default 30 days). Required in production. */
  readonly backup?: { readonly directory: string; readonly retentionDays?: number }
  /** @internal */
  readonly [variablesKey]?: Readonly<Record<string, string>>
}

/** A checked configuration with all defaults filled in. */
export interface DatabaseConfig {
  readonly environment: Environment
  /** The address, without parameters. */
  readonly url: string
  readonly directUrl?: string | undefined
  readonly shadowUrl?: string | undefined
  readonly replicaUrls: readonly string[]
  readonly replicas: {
    /** All of `replicaUrls` and `replicas.nodes`. */
    readonly nodes: readonly ReplicaConfig[]
    readonly maxLagMs: number
    readonly checkIntervalMs: number
    readonly mode: ReplicaMode
  }
  /** The servers of a URL that names several, and which of them will do. */
  readonly failover?: {
    readonly hosts: readonly HostAddress[]
    readonly target: TargetSession
  }
  readonly schema?: string | undefined
  readonly applicationName: string
  readonly ssl: {
    readonly mode: SslMode
    readonly ca?: string | undefined
    readonly cert?: string | undefined
    readonly key?: string | undefined
  }
  readonly pool: {
    readonly mode: PoolMode | 'detect'
    readonly max: number
    readonly min: number
    readonly connectTimeoutMs: number
    readonly idleTimeoutMs: number
    readonly maxLifetimeMs: number
  }
  readonly queryTimeoutMs: number
  readonly transactionTimeoutMs: number
  readonly drainTimeoutMs: number
  readonly slowQueryMs: number
  readonly logging: { readonly level: LogLevel }
  readonly encryption?: { readonly key: string } | undefined
  readonly backup?: { readonly directory: string; readonly retentionDays: number } | undefined
  /** What the URL asked for and does not get. */
  readonly warnings: readonly string[]
}
