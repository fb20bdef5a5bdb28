import type pg from 'pg'
import { classify } from '../classify.ts'
import { currentContext, withSignal } from '../context.ts'
import type { SqlClient, SqlExecutor } from '../sql.ts'
import type { Ambient } from './ambient.ts'
import { cancelled, transactionControl } from './database-client.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { DatabasePool } from './pool.ts'
import type { Grant, RowSecurity } from './row-security.ts'
import type { StatementCounter } from './statement-metrics.ts'
import type { OpenConnection, TransactionScope } from './transaction-scope.ts'
import type { RunTransaction } from './transactions.ts'

/** What the SQL client needs around it. */
export interface SqlClientOptions {
  readonly pool: DatabasePool
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  readonly counter: StatementCounter
  readonly transaction: RunTransaction
  readonly server: string
  /** Absent where no policies are to be served. */
  readonly rowSecurity: RowSecurity | undefined
  /** `refuse`: SQL without a tenant is an error. `nothing`: it runs, and policies show it no tenant's rows. */
  readonly withoutTenant: 'refuse' | 'nothing'
}

/** SQL beside Prisma: on the ambient transaction's connection, else on any connection of the pool. */
export function createSqlClient(options: SqlClientOptions): SqlClient {
  const { pool, ambient, lifecycle, counter, transaction, server, rowSecurity, withoutTenant } = options

  function grantOf(scope: TransactionScope | undefined): Grant | undefined {
    if (!rowSecurity) return undefined
    const context = currentContext()
    const grant =
      withoutTenant === 'refuse'
        ? rowSecurity.grant(context, { action: 'sql' })
        : rowSecurity.grantAnyway(context)
    // What works for nobody shares any transaction: it is our packages', and the settings are those of BEGIN.
    if (scope && grant.party !== undefined) rowSecurity.join(scope.root, grant)
    return grant
  }

  const query: SqlExecutor['query'] = (sql, params, { signal } = {}) =>
    withSignal(signal, () => send(sql, params))

  async function send(sql: string, params: readonly unknown[] | undefined): Promise<never[]> {
    const { signal } = currentContext()
    if (signal?.aborted) throw cancelled(signal, 'not-sent')
    const scope = ambient.scope()
    if (scope?.ended) throw scope.ended
    const open = scope?.connection
    const refusal = open && transactionControl(sql)
    if (refusal) throw refusal
    const grant = grantOf(scope)
    const run = (on: pg.PoolClient | DatabasePool): Promise<pg.QueryResult | pg.QueryResult[]> =>
      counter.measure(() => (params === undefined ? on.query(sql) : on.query(sql, [...params])))
    const inside = ({ connection, turnstile }: OpenConnection): ReturnType<typeof run> =>
      turnstile.pass(() => (scope?.ended ? Promise.reject(scope.ended) : run(connection)))
    try {
      const result = await (scope && open
        ? scope.follow(scope.gate.share(() => inside(open)))
        : lifecycle.track(() => (grant ? pool.withSettings(grant.settings, () => run(pool)) : run(pool))))
      return rowsOf(result)
    } catch (error) {
      throw classify(error, { action: 'sql', inTransaction: open !== undefined, server }) ?? error
    }
  }

  return { query, transaction: (fn) => transaction(() => fn({ query })) }
}

/** A text of several statements has several results. */
function rowsOf(result: pg.QueryResult | pg.QueryResult[]): never[] {
  const last = Array.isArray(result) ? result.at(-1) : result
  return (last?.rows ?? []) as never[]
}
