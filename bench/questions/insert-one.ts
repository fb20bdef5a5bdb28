import { openAll, peerNotes, peerPackages } from '../peers/all.ts'
import { pgbenchMissing, pgbenchVariant } from '../peers/pgbench.ts'
import { versionsOf } from '../src/environment.ts'
import { canonicalItem, type NewItem, newItem, newItemColumns } from '../src/item.ts'
import { type ItemServer, startItemServer } from '../src/item-server.ts'
import type { Question, Stage } from '../src/question.ts'

export const question: Question = {
  title:
    'Insert one row of 9 columns with jsonb, timestamptz and numeric, and get it back; each in its own commit.',
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL')
    const server = await startItemServer({ filled: false })
    const peers = await openAll({ url: server.url, poolSize: Math.max(...plan.concurrency) })
    const close = async () => {
      await peers.close()
      await server.stop()
    }
    try {
      const writers = peers.clients.flatMap(({ name, detail, insert }) =>
        insert ? [{ name, detail, insert }] : [],
      )
      progress(`checking that all ${writers.length} variants store the same row`)
      for (const writer of writers) await checkWriter(writer, server)
      const item = newItem()
      const pgbench = pgbenchVariant({ url: server.url, script: insertScript(item) })
      return {
        variants: [
          ...writers.map(({ name, detail, insert }) => ({ name, detail, operation: () => insert(item) })),
          ...(pgbench ? [pgbench] : []),
        ],
        environment: { ...server.environment, ...versionsOf(peerPackages) },
        notes: [...peerNotes, ...(pgbench ? [] : [pgbenchMissing])],
        postmasterPid: server.postmasterPid,
        // Every turn begins with an empty table, so that nobody inserts into a larger index than the others.
        beforeTurn: async () => {
          await server.sql('TRUNCATE bench_item')
        },
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

interface Writer {
  readonly name: string
  readonly insert: (item: NewItem) => Promise<unknown>
}

async function checkWriter({ name, insert }: Writer, server: ItemServer): Promise<void> {
  const returned = (await insert(newItem())) as { id: number }
  const stored = await server.sql('SELECT * FROM bench_item WHERE id = $1', [returned.id])
  const expected = canonicalItem({ ...newItem(), id: returned.id })
  if (canonicalItem(stored[0]) !== expected) throw new Error(`${name} stored another row`)
  // A library that returns the id alone says so in its detail.
  if (Object.keys(returned).length > 1 && canonicalItem(returned) !== expected) {
    throw new Error(`${name} returned another row than it stored`)
  }
}

function insertScript(item: NewItem): string {
  const literals = newItemColumns.map((column) => {
    const value = item[column]
    const text =
      value instanceof Date ? value.toISOString() : typeof value === 'object' ? JSON.stringify(value) : value
    return `'${text}'`
  })
  return `INSERT INTO bench_item (${newItemColumns.join(', ')}) VALUES (${literals.join(', ')}) RETURNING *;\n`
}
