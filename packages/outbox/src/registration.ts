import type { SqlClient } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import { partitionCount } from './schema.ts'
import type { Settler } from './settler.ts'

/** Makes the cursor of a consumer whose name is new. */
export async function register(
  sql: SqlClient,
  { name, from }: ConsumerSettings,
  settler: Settler,
): Promise<void> {
  const [known] = await sql.query('SELECT 1 FROM orgdb.outbox_consumer WHERE name = $1', [name])
  if (known) return
  let position = 0
  if (from === 'now') {
    for (let before = -1; position > before; ) {
      before = position
      position = await settler.settle()
    }
  }
  await sql.query(
    `WITH made AS (INSERT INTO orgdb.outbox_consumer (name) VALUES ($1) ON CONFLICT DO NOTHING RETURNING name)
     INSERT INTO orgdb.outbox_lease (consumer, part, position)
     SELECT name, part, $2 FROM made, generate_series(0, ${partitionCount - 1}) part`,
    [name, position],
  )
}
