import type { Database } from '@org/db-core/client'
import type { PrismaClient } from '@org/prisma'
import { versionsOf } from '../src/environment.ts'
import { queue, startFeedServer } from '../src/feed-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

export const question: Question = {
  title:
    'What an event costs: a transaction that updates one row, and the same with an event of it in the same commit.',
  metric: 'throughput',
  baseline: 'ours, no event',
  plan: { rounds: 7, seconds: 1, concurrency: [1, 16], warmUpSeconds: 1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL, installing the tables of the feed, pg-boss and graphile-worker')
    const feed = await startFeedServer({ filled: true })
    const { boss, server } = feed
    const poolSize = Math.max(...plan.concurrency)
    const plain = feed.open({ poolSize })
    const captured = feed.open({ poolSize, outbox: { models: { BenchItem: {} } } })
    const [{ count = 0 } = {}] = await server.sql('SELECT count(*)::int AS count FROM bench_item')

    /** A row of its own for each operation, so that nobody waits for a lock. */
    const update = (db: Database<PrismaClient>): Promise<unknown> =>
      db.benchItem.update({
        where: { id: 1 + Math.floor(Math.random() * Number(count)) },
        data: { score: { increment: 1 } },
        select: { id: true },
      })
    const variant = (
      name: string,
      detail: string,
      within: (db: Database<PrismaClient>) => Promise<unknown>,
      db = plain.db,
    ): OperationVariant => ({
      name,
      detail,
      operation: () =>
        db.transaction(async () => {
          await update(db)
          await within(db)
        }),
    })
    const payload = {
      itemId: 1,
      price: '12.50',
      note: 'one hundred bytes of payload, more or less, as events have them',
    }
    return {
      variants: [
        variant('ours, no event', 'db.transaction with one update', async () => undefined),
        variant('ours, emit', 'and outbox.emit', () =>
          plain.outbox.emit({ topic: 'item', key: 'item:1', payload }),
        ),
        variant(
          'ours, row change',
          'the update of a captured model, no emit',
          async () => undefined,
          captured.db,
        ),
        variant('pg-boss', 'and boss.send on the same transaction', (db) =>
          boss.send(queue, payload, {
            db: {
              executeSql: async (sql: string, values: unknown[]) => ({
                rows: [...(await db.sql.query(sql, values))],
              }),
            },
          }),
        ),
        variant('graphile-worker', 'and graphile_worker.add_job on the same transaction', (db) =>
          db.sql.query(`SELECT graphile_worker.add_job('bench', $1::json)`, [JSON.stringify(payload)]),
        ),
      ],
      environment: {
        ...server.environment,
        ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'pg-boss', 'graphile-worker']),
      },
      notes: [
        'Every variant runs in the same ambient transaction of ours: what differs is what is done beside the update.',
      ],
      postmasterPid: server.postmasterPid,
      beforeTurn: feed.empty,
      close: feed.close,
    }
  },
}
