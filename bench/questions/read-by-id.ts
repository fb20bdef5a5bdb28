import { openAll, peerNotes, peerPackages } from '../peers/all.ts'
import { pgbenchMissing, pgbenchVariant } from '../peers/pgbench.ts'
import { versionsOf } from '../src/environment.ts'
import { canonicalItem, itemCount, randomIds } from '../src/item.ts'
import { type ItemServer, startItemServer } from '../src/item-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const checkedIds = [1, 4_711, itemCount]

export const question: Question = {
  title: `One row by its primary key: random ids of ${itemCount.toLocaleString('en-US')} rows, 9 columns with jsonb, timestamptz and numeric.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL and loading the rows')
    const server = await startItemServer({ filled: true })
    const peers = await openAll({ url: server.url, poolSize: Math.max(...plan.concurrency) })
    const close = async () => {
      await peers.close()
      await server.stop()
    }
    try {
      const readers = peers.clients.flatMap(({ name, detail, find }) =>
        find ? [{ name, detail, find }] : [],
      )
      progress(`checking that all ${readers.length} variants return the same rows`)
      for (const reader of readers) await checkReader(reader, server)
      const pgbench = pgbenchVariant({
        url: server.url,
        script: `\\set id random(1, ${itemCount})\nSELECT * FROM bench_item WHERE id = :id;\n`,
      })
      return {
        variants: [...readers.map(readVariant), ...(pgbench ? [pgbench] : [])],
        environment: { ...server.environment, ...versionsOf(peerPackages) },
        notes: [...peerNotes, ...(pgbench ? [] : [pgbenchMissing])],
        postmasterPid: server.postmasterPid,
        close,
      }
    } catch (error) {
      await close()
      throw error
    }
  },
}

interface Reader {
  readonly name: string
  readonly detail: string
  readonly find: (id: number) => Promise<unknown>
}

function readVariant({ name, detail, find }: Reader): OperationVariant {
  const nextId = randomIds()
  return { name, detail, operation: () => find(nextId()) }
}

async function checkReader({ name, find }: Reader, server: ItemServer): Promise<void> {
  for (const id of checkedIds) {
    const [expected] = await server.sql('SELECT * FROM bench_item WHERE id = $1', [id])
    const found = canonicalItem(await find(id))
    if (found !== canonicalItem(expected)) throw new Error(`${name} returns another row ${id}: ${found}`)
  }
}
