import { createDatabase, type Database } from '@org/db-core/client'
import { type PostgresServer, startPostgres, startProxy, type TcpProxy } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import pg from 'pg'

/** A database object in front of a server that can be disturbed. */
export interface Stage extends AsyncDisposable {
  readonly server: PostgresServer
  readonly proxy: TcpProxy
  readonly db: Database<PrismaClient>
  /** How often the row is stored, asked past the database object. */
  stored(id: number): Promise<number>
}

/** COMMIT takes 300 ms on this table, so that something can happen meanwhile. */
const tables = `
  CREATE TABLE fault (id int);
  CREATE FUNCTION fault_slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.3); RETURN NULL; END $$;
  CREATE TABLE slow_commit (id int);
  CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON slow_commit DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION fault_slow();
  CREATE VIEW stored AS SELECT id FROM fault UNION ALL SELECT id FROM slow_commit;`

/** Starts the server, a proxy in front of it, and a database object that goes through the proxy. */
export async function openStage(): Promise<Stage> {
  const server = await startPostgres()
  const proxy = await startProxy({ targetPort: server.port })
  const db = createDatabase({
    url: proxy.through(server.url),
    client: (adapter) => new PrismaClient({ adapter }),
    pool: { max: 4, connectTimeoutMs: 1_000 },
    queryTimeoutMs: 1_500,
    transactionTimeoutMs: 4_000,
  })
  await db.sql.query(tables)
  await db.connect()
  return {
    server,
    proxy,
    db,
    stored: async (id) => {
      const client = new pg.Client({ connectionString: server.url })
      await client.connect()
      try {
        const { rows } = await client.query<{ count: number }>(
          'SELECT count(*)::int AS count FROM stored WHERE id = $1',
          [id],
        )
        return rows[0]?.count ?? 0
      } finally {
        await client.end()
      }
    },
    async [Symbol.asyncDispose]() {
      await db.close({ drainTimeoutMs: 2_000 })
      await proxy.stop()
      await server.stop()
    },
  }
}
