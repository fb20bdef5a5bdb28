import { PrismaPg } from '@prisma/adapter-pg'
import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import type { DatabaseError } from '../database-error.ts'
import { type Begin, transactionControl } from './database-client.ts'
import type { DatabasePool, PooledClient } from './pool.ts'
import { beginWithSettings } from './preset-query.ts'
import { grantOfTransaction, guardTransaction, missingGrant, type RowSecurity } from './row-security.ts'
import type { StatementCounter } from './statement-metrics.ts'
import { StatementNames } from './statement-names.ts'
import type { TransactionScope } from './transaction-scope.ts'
import { createTurnstile, type Turnstile } from './turnstile.ts'

type SqlDriverAdapter = Awaited<ReturnType<SqlDriverAdapterFactory['connect']>>
type Transaction = Awaited<ReturnType<SqlDriverAdapter['startTransaction']>>

/** What the adapter needs around it. */
export interface AdapterOptions {
  readonly pool: DatabasePool
  readonly counter: StatementCounter
  readonly schema: string | undefined
  /** The transaction that is just being opened by `db.transaction`, if one is. */
  readonly opening: () => TransactionScope | undefined
  /** Why the transaction of the running code may send nothing any more. */
  readonly ended: () => DatabaseError | undefined
  /** What goes along with BEGIN of that transaction, or of one that Prisma opens by itself, at its level. */
  readonly begin: (
    scope: TransactionScope | undefined,
    level: IsolationLevel | undefined,
  ) => Begin | undefined
  /** Absent where no policies are to be served. */
  readonly rowSecurity: RowSecurity | undefined
  /** Whether connections are known to keep prepared statements. */
  readonly keepsStatements: () => boolean
  /** Whether tables are found by the search path, which holds the tenant's schema, and so must not be qualified. */
  readonly isUnqualified: boolean
}

/** Prisma puts a schema before each name. This one is taken away again, and no real one is called so. */
const noSchema = 'orgdb:search_path'

/** As SQL has it. */
type IsolationLevel = NonNullable<Parameters<SqlDriverAdapter['startTransaction']>[0]>

type Query = Parameters<SqlDriverAdapter['queryRaw']>[0]

function unqualified(query: Query): Query {
  return { ...query, sql: query.sql.replaceAll(`"${noSchema}".`, '') }
}

/** Prisma's adapter for node-postgres, on our pool: every SQL statement of the client passes here. */
export function createAdapter(options: AdapterOptions): SqlDriverAdapterFactory {
  const { pool, isUnqualified } = options
  const schema = isUnqualified ? noSchema : options.schema
  const names = new StatementNames(options.keepsStatements)
  const inner = new PrismaPg(pool, {
    ...(schema !== undefined && { schema }),
    statementNameGenerator: (query) => names.nameOf(query),
  })
  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    connect: async () => {
      const adapter = wrapAdapter(await inner.connect(), names, options)
      return isUnqualified ? withoutSchema(adapter) : adapter
    },
  }
}

function withoutSchema(adapter: SqlDriverAdapter): SqlDriverAdapter {
  return {
    ...adapter,
    queryRaw: (query) => adapter.queryRaw(unqualified(query)),
    executeRaw: (query) => adapter.executeRaw(unqualified(query)),
    async startTransaction(isolationLevel) {
      const transaction = await adapter.startTransaction(isolationLevel)
      return {
        ...transaction,
        queryRaw: (query) => transaction.queryRaw(unqualified(query)),
        executeRaw: (query) => transaction.executeRaw(unqualified(query)),
      }
    },
  }
}

function wrapAdapter(
  inner: SqlDriverAdapter,
  names: StatementNames,
  options: AdapterOptions,
): SqlDriverAdapter {
  const { counter, pool, opening, ended, begin, rowSecurity } = options

  /** One statement of its own. */
  async function single<T>(query: Query, run: () => Promise<T>): Promise<T> {
    try {
      return await once(run)
    } catch (error) {
      if (names.failed(query, error)) return once(run)
      throw error
    }
  }

  /** With the settings of the operation that it belongs to. */
  function once<T>(run: () => Promise<T>): Promise<T> {
    if (!rowSecurity) return counter.measure(run)
    const grant = rowSecurity.current()
    if (!grant) return Promise.reject(missingGrant())
    grant.statements += 1
    return counter.measure(() => pool.withSettings(grant.settings, run))
  }

  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    queryRaw: (query) => single(query, () => inner.queryRaw(query)),
    executeRaw: (query) => single(query, () => inner.executeRaw(query)),
    executeScript: (script) => (rowSecurity ? Promise.reject(missingGrant()) : inner.executeScript(script)),
    getConnectionInfo: () => inner.getConnectionInfo?.() ?? { supportsRelationJoins: true },
    dispose: () => inner.dispose(),
    async startTransaction(isolationLevel) {
      const scope = opening()
      const turnstile = createTurnstile()
      const grant = rowSecurity && grantOfTransaction(rowSecurity, scope)
      let connection: PooledClient | undefined
      // The adapter asks the pool for a connection before its first `await`.
      const transaction = await pool.observeConnect(
        (client) => {
          connection = client
          // The level goes with BEGIN too: once there is a snapshot, as for the id, it can't be set any more.
          const own = begin(scope, isolationLevel)
          client.beginWith = grant ? beginWithSettings(own, grant.settings) : own
        },
        () => inner.startTransaction(),
      )
      if (scope && connection) scope.open({ connection, turnstile })
      const wrapped = wrapTransaction(transaction, { counter, turnstile, scope, ended, names })
      return rowSecurity && grant ? guardTransaction(wrapped, rowSecurity, grant) : wrapped
    },
  }
}

interface TransactionWrap {
  readonly counter: StatementCounter
  readonly turnstile: Turnstile
  readonly scope: TransactionScope | undefined
  readonly ended: AdapterOptions['ended']
  readonly names: StatementNames
}

function wrapTransaction(
  inner: Transaction,
  { counter, turnstile, scope, ended, names }: TransactionWrap,
): Transaction {
  /** Asked again when its turn has come: the statement before may have been the last one. */
  function statement<T>(query: Query, run: () => Promise<T>): Promise<T> {
    return turnstile
      .pass(() => {
        const reason = ended() ?? (scope && transactionControl(query.sql))
        return reason ? Promise.reject(reason) : counter.measure(run)
      })
      .catch((error: unknown) => {
        // The failure has ended the transaction, so that only the next one can do better.
        names.failed(query, error)
        throw error
      })
  }

  return {
    provider: inner.provider,
    adapterName: inner.adapterName,
    options: inner.options,
    queryRaw: (query) => statement(query, () => inner.queryRaw(query)),
    executeRaw(query) {
      const run = (): Promise<number> => inner.executeRaw(query)
      // While a body runs, such a statement is the caller's.
      const isEnd = !scope?.interrupt || scope.ended !== undefined
      if (isEnd && query.sql === 'COMMIT') return commit(inner, query, scope)
      return isEnd && query.sql === 'ROLLBACK' ? turnstile.pass(run) : statement(query, run)
    },
    commit: () => inner.commit(),
    rollback: () => inner.rollback(),
    createSavepoint: (name) => turnstile.pass(() => control(inner.createSavepoint, inner, name)),
    rollbackToSavepoint: (name) => turnstile.pass(() => control(inner.rollbackToSavepoint, inner, name)),
    releaseSavepoint: (name) => turnstile.pass(() => control(inner.releaseSavepoint, inner, name)),
  }

  function commit(
    target: Transaction,
    query: Parameters<Transaction['executeRaw']>[0],
    owner: typeof scope,
  ): Promise<number> {
    return turnstile.pass(async () => {
      try {
        return await target.executeRaw(query)
      } catch (error) {
        // Prisma reports it later in another shape; only here it is certain that COMMIT was under way.
        if (owner) owner.commitFailure = { error }
        throw error
      }
    })
  }
}

async function control(
  method: ((name: string) => Promise<void>) | undefined,
  target: Transaction,
  name: string,
): Promise<void> {
  await method?.call(target, name)
}
