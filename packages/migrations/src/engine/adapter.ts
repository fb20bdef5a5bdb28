import pg from 'pg'
import type { Session } from '../session.ts'
import { splitSql } from '../sql/parser.ts'
import { outsideTransaction } from '../sql/transactionality.ts'
import { columnType, parserOf } from './column-type.ts'
import { type Bound, bind, type ErrorRegistry, errorRegistry } from './result.ts'

/** Prisma's driver adapter for the schema engine, on one connection. */
export interface EngineAdapter {
  readonly provider: 'postgres'
  readonly adapterName: string
  readonly errorRegistry: ErrorRegistry
  connect(): Promise<Bound<object>>
  connectToShadowDb(): Promise<Bound<object>>
}

interface Query {
  readonly sql: string
  readonly args: readonly unknown[]
}

const identity = { provider: 'postgres', adapterName: '@org/db-migrations' } as const

/**
 * The main database, and a way to an empty one for the engine's own replays. Prisma's stock adapter splits scripts at
 * every semicolon, and takes the main database for the shadow one when it was made from a URL.
 */
export function engineAdapter(options: {
  readonly main: (() => Promise<Session>) | undefined
  readonly shadow: (() => Promise<Session>) | undefined
  readonly schema: string
}): EngineAdapter {
  const registry = errorRegistry()
  const open = (connect: (() => Promise<Session>) | undefined) =>
    bind(registry, async () => {
      if (!connect) throw new Error('There is no database to connect to')
      return queryable(registry, await connect(), options.schema)
    })
  return {
    ...identity,
    errorRegistry: registry,
    connect: open(options.main),
    connectToShadowDb: open(options.shadow),
  }
}

function queryable(registry: ErrorRegistry, session: Session, schema: string): object {
  const calls = {
    queryRaw: bind(registry, async (query: Query) => {
      const { fields, rows } = await session.raw(toQuery(query))
      return {
        columnNames: fields.map((each) => each.name),
        columnTypes: fields.map((each) => columnType(each.dataTypeID)),
        rows,
      }
    }),
    executeRaw: bind(registry, async (query: Query) => (await session.raw(toQuery(query))).rowCount ?? 0),
  }
  return {
    ...identity,
    ...calls,
    errorRegistry: registry,
    executeScript: bind(registry, (script: string) => runScript(session, script)),
    dispose: bind(registry, () => session.close()),
    getConnectionInfo: () => ({ ok: true, value: { schemaName: schema, supportsRelationJoins: true } }),
    startTransaction: bind(registry, async () => {
      await session.run('BEGIN')
      return {
        ...identity,
        ...calls,
        options: { usePhantomQuery: false },
        commit: bind(registry, async () => void (await session.run('COMMIT'))),
        rollback: bind(registry, async () => void (await session.run('ROLLBACK'))),
      }
    }),
  }
}

// The types of node-postgres leave arrays out.
const textArray = pg.types.getTypeParser(1009 as never) as (value: string) => unknown

/** As the native engine: the whole script at once, but for what can't be in a transaction. */
async function runScript(session: Session, script: string): Promise<void> {
  const statements = await splitSql(script)
  const apart = statements.some((each) => outsideTransaction(each) !== undefined)
  const texts = apart ? statements.map((each) => each.text) : [script]
  for (const text of texts) await session.run(text)
}

function toQuery({ sql, args }: Query): pg.QueryArrayConfig {
  return {
    text: sql,
    values: args.map((each) => (typeof each === 'bigint' ? each.toString() : each)),
    rowMode: 'array',
    types: { getTypeParser: (oid: number) => parserOf(oid, textArray) },
  }
}
