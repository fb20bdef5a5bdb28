import { BaseRepository } from '@org/db-repository'
import { bulk } from '@org/db-repository/bulk'
import type { Prisma } from '@org/prisma'
import { openWriters, type Writers, writtenWith } from '../peers/writers.ts'
import { newItem } from '../src/item.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const rowCount = 10_000

export const question: Question = {
  title: `${rowCount.toLocaleString('en-US')} rows of 9 columns with jsonb, timestamptz and numeric into a table, in one call.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 7, seconds: 2, concurrency: [1], warmUpSeconds: 1 },
  async setup({ progress }): Promise<Stage> {
    progress('starting PostgreSQL')
    const writers = await openWriters()
    return writtenWith(writers, { variants: variants(writers), check: rowCount })
  },
}

function variants({ db, prisma, copy, server }: Writers): readonly OperationVariant[] {
  const items = bulk(new BaseRepository<typeof db, 'benchItem'>(db, 'benchItem'))
  const row = newItem()
  const rows = Array.from({ length: rowCount }, (_, index) => ({ ...row, score: index }))
  const data = rows as unknown as Prisma.BenchItemCreateManyInput[]
  const parameters = ['name', 'email', 'active', 'score', 'rating', 'price', 'created'] as const
  return [
    {
      name: 'ours',
      detail: '`bulk(repository).createMany(rows)`: COPY',
      operation: () => items.createMany(data),
    },
    {
      name: 'ours-returning',
      detail:
        'the same with `{ returning: true }`: one INSERT from unnest, and the rows as Prisma returns them',
      operation: () => items.createMany(data, { returning: true }),
    },
    {
      name: 'prisma',
      detail: '`createMany({ data: rows })`',
      operation: () => prisma.benchItem.createMany({ data }),
    },
    {
      name: 'unnest',
      detail: 'by hand: node-postgres, `INSERT … SELECT … FROM unnest(…)`',
      operation: () =>
        server.sql(
          `INSERT INTO bench_item (${parameters.join(', ')}, meta)
           SELECT * FROM unnest($1::text[], $2::text[], $3::bool[], $4::int[], $5::float8[], $6::numeric[], $7::timestamptz[], $8::jsonb[])`,
          [
            ...parameters.map((name) => rows.map((each) => each[name])),
            rows.map(({ meta }) => JSON.stringify(meta)),
          ],
        ),
    },
    {
      name: 'copy',
      detail: 'the floor: pg-copy-streams, with the text put together by hand from the same objects',
      operation: () =>
        copy(
          rows.map(
            ({ name, email, active, score, rating, price, created, meta }) =>
              `${name}\t${email}\t${active}\t${score}\t${rating}\t${price}\t${created.toISOString()}\t${JSON.stringify(meta)}\n`,
          ),
        ),
    },
  ]
}
