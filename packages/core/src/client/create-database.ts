import type { DatabaseConfig, PoolMode } from '../config.ts'
import { runInContext } from '../context.ts'
import { DatabaseError } from '../database-error.ts'
import type { DatabaseLike } from '../database-of.ts'
import { createEvents, type DatabaseEvents } from '../events.ts'
import { compose, type InterceptorHost } from '../operation.ts'
import { parseConfig } from '../parse-config.ts'
import { withoutFastPathKey } from '../without-fast-path.ts'
import { createAdapter } from './adapter.ts'
import { createAmbient } from './ambient.ts'
import { beginSql, transactionIdIn } from './begin.ts'
import { checkUse } from './check-use.ts'
import { type Connector, createConnector } from './connect.ts'
import { createCopy } from './copy.ts'
import type { Begin } from './database-client.ts'
import { createExtension } from './extension.ts'
import { createFacade } from './facade.ts'
import { hostsOf, serverOf, sessionConfig } from './failover/database-hosts.ts'
import { type Bypass, bypassOf } from './fast/bypass.ts'
import { createFastPath } from './fast/fast-path.ts'
import { createFastServer, type FastServer } from './fast/fast-server.ts'
import { createTypedRows } from './fast/typed-rows.ts'
import { createHealthCheck } from './health.ts'
import { forgetInstance, livingInstance } from './instances.ts'
import { createLifecycle } from './lifecycle.ts'
import { logEvents } from './log-events.ts'
import { createOperate } from './operate.ts'
import { createPipeline } from './pipeline.ts'
import { DatabasePool } from './pool.ts'
import type { ReplicaMetrics } from './replicas/node.ts'
import { createReplication } from './replicas/replication.ts'
import { createRouter } from './replicas/router.ts'
import { createRowSecurity } from './row-security.ts'
import { withSession } from './session.ts'
import { createSettler } from './settle.ts'
import { sourceOf } from './source.ts'
import { createSqlClient } from './sql-client.ts'
import { createStatementCounter } from './statement-metrics.ts'
import { keepsStatements } from './statement-names.ts'
import { stopAll } from './stop-all.ts'
import { runHook } from './transaction-end.ts'
import type { TransactionScope } from './transaction-scope.ts'
import { createTransactions } from './transactions.ts'
import type { Database, DatabaseMethods, DatabaseOptions, PrismaClientLike } from './types.ts'

/**
 * Makes a database object: a Prisma client with ambient transactions, interceptors, classified errors and a
 * pool of its own. It connects when it is first used; call `connect()` to know at start that it can.
 * @throws ConfigError naming every wrong field
 */
export function createDatabase<Client extends PrismaClientLike>(
  options: DatabaseOptions<Client>,
): Database<Client> {
  const {
    client,
    metadata,
    use = [],
    instance,
    logger,
    rowSecurity,
    tenantSchema,
    fastPath,
    preparedStatements,
    ...input
  } = options
  checkUse(use)
  const config = parseConfig(input)
  for (const warning of config.warnings) process.emitWarning(warning, 'DbConfigWarning')
  const create = (): Database<Client> => assemble(options, config)
  if (instance === undefined) return create()
  const { schemaHash } = metadata ?? {}
  const switches = { fastPath, preparedStatements }
  const madeFrom = { config, client, schemaHash, use, rowSecurity, tenantSchema, ...switches }
  return livingInstance(instance, madeFrom, create)
}

function assemble<Client extends PrismaClientLike>(
  options: DatabaseOptions<Client>,
  config: DatabaseConfig,
): Database<Client> {
  const { metadata } = options
  const server = serverOf(config)
  const events = createEvents<DatabaseEvents>()
  if (options.logger) logEvents(events, options.logger, config.logging.level)
  const hosts = hostsOf(config, events)
  const pool = new DatabasePool(config, events, hosts)
  const counter = createStatementCounter(config.slowQueryMs)
  const ambient = createAmbient()
  const lifecycle = createLifecycle()
  const settler = createSettler(pool)
  const { tenantSchema } = options
  const rowSecurity =
    options.rowSecurity || tenantSchema
      ? createRowSecurity(
          { rowSecurity: options.rowSecurity, tenantSchema, schema: config.schema },
          { metadata, events },
        )
      : undefined

  const interceptors = options.use ?? []
  const intercept = compose(interceptors)

  const replication = createReplication(config, hosts)
  const writing = replication.writing(lifecycle)

  const adapterOn = (on: DatabasePool): ReturnType<typeof createAdapter> =>
    createAdapter({
      begin: (scope, level) => beginOf(scope, config, level),
      pool: on,
      counter,
      schema: config.schema,
      opening: ambient.opening,
      ended: () => ambient.scope()?.ended,
      rowSecurity,
      isUnqualified: tenantSchema !== undefined,
      keepsStatements: () => keepsStatements(on, modeOf(on)),
    })
  /** As far as prepared statements are concerned. */
  function modeOf(on: DatabasePool): PoolMode | 'detect' {
    if (options.preparedStatements === false) return 'transaction'
    return on === pool ? (connector?.mode() ?? config.pool.mode) : 'detect'
  }
  const plains: PrismaClientLike[] = []
  const servers = new Map<object, FastServer>()
  let bypass: Bypass | undefined
  let connector: Connector | undefined
  function clientOn(on: DatabasePool, adapter: ReturnType<typeof createAdapter>, at = server): Client {
    const plain = options.client(adapter)
    plains.push(plain)
    const isPrimary = on === pool
    const pipeline = createPipeline({
      intercept: interceptors.length > 0 ? intercept : undefined,
      lifecycle,
      events,
      slowQueryMs: config.slowQueryMs,
      metadata,
      server: at,
    })
    const consistency = isPrimary ? replication.consistency : undefined
    const extension = createExtension({ pipeline, ambient, rowSecurity, consistency })
    const extended = (plain.$extends as (extension: object) => Client)(extension)
    const isFast = metadata !== undefined && options.fastPath !== false && !tenantSchema
    if (isPrimary && isFast) bypass = bypassOf(plain, adapter, metadata)
    const mode = (): PoolMode | 'detect' => modeOf(on)
    servers.set(
      extended,
      createFastServer({ pool: on, counter, mode, pipeline, client: extended, isReplica: !isPrimary }),
    )
    return extended
  }
  const client = clientOn(pool, adapterOn(pool))
  const router =
    config.replicas.nodes.length === 0
      ? undefined
      : createRouter({
          config,
          events,
          ...replication,
          primary: client,
          primaryAdapter: adapterOn(pool),
          adapter: adapterOn,
          client: (adapter, at, on) => clientOn(on, adapter, at),
        })
  const transactions = createTransactions(client, {
    ambient,
    lifecycle: writing,
    intercept,
    events,
    metadata,
    settler,
    server,
    timeoutMs: config.transactionTimeoutMs,
    maxWaitMs: config.pool.connectTimeoutMs,
  })

  const around = { pool, ambient, counter, transaction: transactions.run, server, rowSecurity }
  const sql = createSqlClient({ ...around, lifecycle: writing, withoutTenant: 'refuse' })
  const packagesSql = createSqlClient({ ...around, lifecycle: writing, withoutTenant: 'nothing' })
  const endings: (() => Promise<void>)[] = []
  const stops: Parameters<InterceptorHost['onClosing']>[0][] = []
  const session: DatabaseMethods<Client>['session'] = (fn) =>
    writing.track(async () => {
      const reached = await sessionConfig(config, hosts)
      return withSession(reached, connector ? await connector.modeOf(reached) : 'detect', fn)
    })
  let closing: Promise<void> | undefined
  const close: DatabaseMethods<Client>['close'] = ({ drainTimeoutMs = config.drainTimeoutMs } = {}) => {
    const scope = ambient.scope()
    if (scope && !scope.ended) return Promise.reject(closedInside())
    closing ??= shutDown(drainTimeoutMs)
    return closing
  }
  async function shutDown(drainTimeoutMs: number): Promise<void> {
    if (options.instance !== undefined) forgetInstance(options.instance, database)
    const startedAt = performance.now()
    const unfinished = await stopAll(stops, drainTimeoutMs)
    const leftMs = drainTimeoutMs - (performance.now() - startedAt)
    const abandoned = unfinished + (await lifecycle.drain(Math.max(leftMs, Math.min(drainTimeoutMs, 1_000))))
    // What is still open is rolled back when its connection is cut, if not before.
    void transactions.end(closedMeanwhile())
    await Promise.allSettled(endings.map((end) => end()))
    await Promise.all([pool.close(), router?.close(), replication.close()])
    await Promise.all(plains.map((plain) => plain.$disconnect()))
    lifecycle.end()
    events.emit('database.closed', { abandoned })
  }
  connector = createConnector({
    pool,
    lifecycle,
    settler,
    events,
    config,
    server,
  })
  const connect = async (): Promise<void> => {
    await connector?.connect()
    await router?.start()
  }
  const reader = createSqlClient({ ...around, lifecycle, withoutTenant: 'nothing' })
  const ask = (): Promise<unknown> => reader.query('SELECT 1')

  const replicas = (): readonly ReplicaMetrics[] => router?.metrics() ?? []
  const primary = servers.get(client) as FastServer
  const fast =
    bypass && metadata
      ? createFastPath({
          metadata,
          schema: config.schema ?? 'public',
          bypass,
          ambient,
          rowSecurity,
          primary,
          servers,
        })
      : undefined
  const facade = { ambient, transactions, connect, close, route: undefined, fast, database: () => known }
  const routed = { ...facade, route: router?.route }
  const methods: DatabaseMethods<Client> = {
    connect,
    close,
    run: ({ consistency: token, ...context }, fn) =>
      runInContext(context, () => {
        if (token !== undefined) replication.consistency.see(token)
        return fn()
      }),
    consistencyToken: () => lifecycle.track(replication.consistency.token),
    primary: createFacade(client, facade),
    replica: createFacade(client, { ...facade, route: router?.replicaRoute, database: undefined }),
    transaction: transactions.run,
    afterCommit(hook) {
      const scope = ambient.scope()
      if (scope) scope.afterCommit(hook)
      else void runHook(hook, 'after-commit', events)
    },
    afterRollback(hook) {
      ambient.scope()?.afterRollback(hook)
    },
    get inTransaction() {
      const scope = ambient.scope()
      return scope !== undefined && scope.ended === undefined
    },
    sql,
    events,
    metrics: () => ({ ...pool.metrics(), queries: counter.metrics(), replicas: replicas() }),
    config,
    metadata,
    health: createHealthCheck({ pool, replicas, events, slowQueryMs: config.slowQueryMs, ask }),
    session,
    $client: createFacade(client, routed),
    [Symbol.asyncDispose]: () => close(),
  }
  const source = sourceOf(config, {
    use: interceptors,
    tenants: [...(options.rowSecurity ? ['policies'] : []), ...(tenantSchema ? ['schemas'] : [])],
  })
  for (const interceptor of interceptors) {
    interceptor.attach?.({
      metadata,
      source,
      schema: config.schema,
      sql: packagesSql,
      client: methods.$client,
      hooks: () => {
        const scope = ambient.scope()
        return scope?.root.isOver === false ? scope.forPackages : undefined
      },
      session,
      events,
      onClosing: (stop) => void stops.push(stop),
      onClose: (end) => void endings.push(end),
    })
  }
  const known: DatabaseLike = {
    $client: methods.$client,
    source,
    sql,
    metadata,
    config,
    get inTransaction() {
      return ambient.scope() !== undefined
    },
    get transactionScope() {
      return ambient.scope()
    },
    isIntercepted: interceptors.length > 0,
    isScoped: rowSecurity !== undefined,
    isUnqualified: tenantSchema !== undefined,
    operate: createOperate({ ...replication, pipeline: primary.pipeline, ambient }),
    copy: createCopy({ pool, ambient, lifecycle: writing, counter }),
    typedRows: createTypedRows({
      metadata,
      schema: config.schema ?? 'public',
      ambient,
      rowSecurity,
      primary,
    }),
  }
  Object.defineProperty(known, withoutFastPathKey, {
    value: createFacade(client, { ...routed, fast: undefined }),
  })
  const database = createFacade(client, routed, methods) as Database<Client>
  return database
}

function closedInside(): DatabaseError {
  return new DatabaseError(
    'DB_TRANSACTION_MISUSE',
    'close() was called inside a transaction, whose end it waits for',
    {
      outcome: 'not-sent',
    },
  )
}

function closedMeanwhile(): DatabaseError {
  return new DatabaseError('DB_CLOSED', 'The database was closed before the transaction had ended', {
    action: 'transaction',
    outcome: 'rolled-back',
  })
}

/** A transaction that Prisma opens by itself, for nested writes, has no scope. */
function beginOf(
  scope: TransactionScope | undefined,
  config: DatabaseConfig,
  level: string | undefined,
): Begin {
  if (!scope) return { sql: beginSql({}, config, { identified: false, level }) }
  return {
    sql: beginSql(scope.options, config, { level, identified: scope.canWrite }),
    onRows: (rows) => {
      scope.transactionId = transactionIdIn(rows)
    },
  }
}
