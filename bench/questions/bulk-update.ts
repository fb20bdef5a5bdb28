import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import { openWriters, type Writers, writtenWith } from '../peers/writers.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const rowCount = 1_000

export const question: Question = {
  title: `${rowCount.toLocaleString('en-US')} rows updated by their ids, each with values of its own, all or none.`,
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

function variants({ db, prisma, server }: Writers): readonly OperationVariant[] {
  const items = bulk(new BaseRepository<typeof db, 'benchItem'>(db, 'benchItem'))
  let turn = 0
  const changes = () => {
    turn += 1
    return Array.from({ length: rowCount }, (_, index) => ({
      id: index + 1,
      data: { score: turn + index, name: `Changed ${turn} ${index}` },
    }))
  }
  return [
    {
      name: 'ours',
      detail: '`bulk(repository).updateMany(changes)`',
      operation: () => items.updateMany(changes()),
    },
    {
      name: 'prisma',
      detail: '`$transaction([update(…), …])`',
      operation: () =>
        prisma.$transaction(
          changes().map(({ id, data }) => prisma.benchItem.update({ where: { id }, data })),
        ),
    },
    {
      name: 'unnest',
      detail: 'the floor, by hand: node-postgres, `UPDATE … FROM unnest(…)`',
      operation: () => {
        const all = changes()
        return server.sql(
          'UPDATE bench_item t SET score = u.score, name = u.name FROM unnest($1::int[], $2::int[], $3::text[]) AS u(id, score, name) WHERE t.id = u.id',
          [all.map(({ id }) => id), all.map(({ data }) => data.score), all.map(({ data }) => data.name)],
        )
      },
    },
  ]
}
