import { versionsOf } from '../src/environment.ts'
import { startItemServer } from '../src/item-server.ts'
import type { ProgramVariant, Question, Stage } from '../src/question.ts'
import { runSeedChild, type SeedWay } from '../src/seed-rows.ts'

const many = 1_000_000
/** Prisma's rate does not depend on how many follow; a million would take minutes. */
const some = 100_000

export const question: Question = {
  title: `${many.toLocaleString('en-US')} generated rows of 9 columns into a table, each in a process of its own.`,
  metric: 'throughput',
  baseline: 'prisma',
  plan: { rounds: 3, seconds: 1, concurrency: [1], warmUpSeconds: 0.1 },
  async setup({ plan, progress }): Promise<Stage> {
    progress('starting PostgreSQL')
    const server = await startItemServer({ filled: false })
    // The tests only look whether it runs.
    const share = Math.min(1, plan.seconds)
    const peaks = new Map<string, number>()
    const notes: string[] = []
    const tell = (): void => {
      const memory = [...peaks].map(([name, kb]) => `${name} ${Math.round(kb / 1_000)} MB`)
      notes.splice(0, notes.length, `Most memory of each process (RSS): ${memory.join(', ')}.`, secondRun)
    }
    let secondRun = ''
    const variant = (name: string, detail: string, way: SeedWay): ProgramVariant => ({
      name,
      detail,
      async run() {
        const count = Math.ceil((way === 'prisma' ? some : many) * share)
        const { ms, peakKb, again } = await runSeedChild({ url: server.url, way, count })
        const [row] = await server.sql('SELECT count(*)::int AS count FROM bench_item')
        if (row?.count !== count) throw new Error(`${name} wrote ${String(row?.count)} rows of ${count}`)
        peaks.set(name, Math.max(peakKb, peaks.get(name) ?? 0))
        if (again) {
          if (again.written > 0) throw new Error(`The second run wrote ${again.written} rows`)
          secondRun = `The second run of ours took ${again.ms} ms and wrote nothing.`
        }
        tell()
        return { operations: count, seconds: ms / 1_000 }
      },
    })
    return {
      variants: [
        variant('ours', 'a seeder: rows made one by one, COPY on the transaction’s connection', 'ours'),
        variant(
          'ours, compared',
          'the same when all rows are there and the ledger is to be ignored: each is compared',
          'compare',
        ),
        variant('prisma', '`createMany` with 5,000 of the same rows at a time, in one transaction', 'prisma'),
        variant('copy', 'by hand: pg-copy-streams, with text made from the same rows', 'copy'),
      ],
      environment: {
        ...server.environment,
        ...versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg', 'pg-copy-streams']),
      },
      notes,
      postmasterPid: server.postmasterPid,
      beforeTurn: async () => {
        await server.sql('TRUNCATE bench_item')
        await server.sql('DROP SCHEMA IF EXISTS orgdb CASCADE')
        await server.sql('VACUUM bench_item')
        await server.sql('CHECKPOINT')
      },
      close: server.stop,
    }
  },
}
