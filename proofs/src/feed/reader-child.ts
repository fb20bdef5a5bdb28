// A process that reads the feed until it is killed, or until its parent is gone.
import { createDatabase } from '@org/db-core/client'
import { createOutbox } from '@org/db-outbox'
import { PrismaClient } from '@org/prisma'

const {
  PROOF_URL: url = '',
  PROOF_DIRECT_URL: directUrl,
  PROOF_POOL_MODE: mode,
  PROOF_RUN: run,
} = process.env

const outbox = createOutbox()
const db = createDatabase({
  url,
  ...(directUrl !== undefined && { directUrl }),
  pool: { mode: mode === 'transaction' ? 'transaction' : 'direct', max: 6 },
  client: (adapter) => new PrismaClient({ adapter }),
  use: [outbox],
})
const insert = (table: string, events: readonly { readonly key: string; readonly payload: unknown }[]) =>
  db.sql.query(`INSERT INTO ${table} (run, key, n) SELECT $1, * FROM unnest($2::text[], $3::int[])`, [
    run,
    events.map(({ key }) => key),
    events.map(({ payload }) => (payload as { n: number }).n),
  ])
const shared = { topics: [`proof.${run}`], leaseMs: 1_000, concurrency: 2 }
const exact = outbox.consumer({
  ...shared,
  name: `exact-${run}`,
  exactlyOnce: true,
  handle: async (events) => void (await insert('proof_exact', events)),
})
const plain = outbox.consumer({
  ...shared,
  name: `plain-${run}`,
  handle: async (events) => void (await insert('proof_plain', events)),
})
await exact.start()
await plain.start()
process.send?.('ready')
process.on('disconnect', () => void db.close().then(() => process.exit()))
