import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import type { Prisma } from '@org/prisma'
import { openWriters, type Writers, writtenWith } from '../peers/writers.ts'
import { newItem } from '../src/item.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const rowCount = 1_000

export const question: Question = {
  title: `${rowCount.toLocaleString('en-US')} rows upserted by their ids, half of which are there, all or none.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 2, concurrency: [1], warmUpSeconds: 1 },
  async setup({ progress }): Promise<Stage> {
    progress('starting PostgreSQL and loading the rows')
    const writers = await openWriters()
    await writers.fill(rowCount)
    return writtenWith(writers, { variants: variants(writers), keep: true })
  },
}

function variants({ db, prisma }: Writers): readonly OperationVariant[] {
  const items = bulk(new BaseRepository<typeof db, 'benchItem'>(db, 'benchItem'))
  let next = rowCount
  const rows = () => {
    const half = rowCount / 2
    next += half
    const item = newItem() as unknown as Prisma.BenchItemUncheckedCreateInput
    return Array.from({ length: rowCount }, (_, index) => ({
      ...item,
      id: index < half ? index + 1 : next - half + index + 1,
      score: next + index,
    }))
  }
  return [
    {
      name: 'ours',
      detail: '`bulk(repository).upsertMany(rows)`, which returns the rows and which are new',
      operation: () => items.upsertMany(rows()),
    },
    {
      name: 'prisma',
      detail: '`$transaction([upsert(…), …])`',
      operation: () =>
        prisma.$transaction(
          rows().map((row) =>
            prisma.benchItem.upsert({ where: { id: row.id }, create: row, update: { score: row.score } }),
          ),
        ),
    },
  ]
}
