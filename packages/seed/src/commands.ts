import type { DatabaseConfigInput } from '@org/db-core'
import type { CommandAnswer, CommandCall, CommandGroup, CommandOption } from '@org/db-core/commands'
import type { SeedDatabase } from './client-types.ts'
import { createSeeds, type Seeds } from './create-seeds.ts'
import type { SeedReport } from './seed-result.ts'
import type { BaseSeeder } from './seeder.ts'

/** What the commands run. */
export interface SeedCommandsOptions<Db extends SeedDatabase> {
  /** Opens the database; it is closed after the command. Give it `metadata`. */
  readonly database: (config: DatabaseConfigInput) => Db | Promise<Db>
  readonly seeders: readonly BaseSeeder<Db>[]
  /** The organisations that `orgdb seed all` seeds. Default none. */
  readonly organisations?: readonly string[] | ((db: Db) => Promise<readonly string[]>)
  /** Which rows there are, unless `--seed` says otherwise. Default 1. */
  readonly seed?: string | number
}

const generated = {
  seed: { type: 'string', description: 'which made-up rows; default 1' },
  scale: { type: 'number', description: 'how many times as many made-up rows; default 1' },
} as const satisfies Readonly<Record<string, CommandOption>>
const only = {
  only: { type: 'string', multiple: true, description: 'this seeder' },
} as const satisfies Readonly<Record<string, CommandOption>>
const seeding = {
  clean: { type: 'boolean', description: 'remove first what is then seeded' },
  force: { type: 'boolean', description: 'compare all rows, whatever the ledger says' },
  ...only,
  ...generated,
} as const satisfies Readonly<Record<string, CommandOption>>

/**
 * `orgdb seed all|org|clean|validate|status`, for `orgdb.config.ts`:
 * `commands: [seedCommands({ database: openDatabase, seeders: [new Countries(), new Films()] })]`.
 */
export function seedCommands<Db extends SeedDatabase>(options: SeedCommandsOptions<Db>): CommandGroup {
  const withSeeds =
    (run: (seeds: Seeds, call: CommandCall) => Promise<CommandAnswer>) =>
    async (call: CommandCall): Promise<CommandAnswer> => {
      const db = await options.database(call.config)
      try {
        const { organisations = [] } = options
        const { seed = options.seed, scale } = call.options
        const seeds = createSeeds<Db>({
          db,
          seeders: options.seeders,
          organisations: typeof organisations === 'function' ? () => organisations(db) : organisations,
          ...(seed !== undefined && { seed: toSeed(String(seed)) }),
          ...(typeof scale === 'number' && { scale }),
          onProgress: teller(call),
        })
        return await run(seeds, call)
      } finally {
        await db.close()
      }
    }
  const cleans = ({ options: { clean } }: Pick<CommandCall, 'options'>): boolean => clean === true
  return {
    name: 'seed',
    description: 'seeding: all, one organisation, clean, validate',
    commands: [
      {
        name: 'all',
        description: 'reference data, organisations, and with --demo the demo',
        options: { demo: { type: 'boolean', description: 'with the demo' }, ...seeding },
        destroys: cleans,
        run: withSeeds(async (seeds, call) =>
          answer(await seeds.all({ demo: call.options.demo === true, ...howOf(call) })),
        ),
      },
      {
        name: 'org',
        description: 'reference data, and what one organisation needs',
        arguments: ['ID'],
        options: seeding,
        destroys: cleans,
        run: withSeeds(async (seeds, call) =>
          answer(await seeds.organisation(call.arguments.ID ?? '', howOf(call))),
        ),
      },
      {
        name: 'clean',
        description: 'remove the rows that seeders have put, and no others',
        options: { ...only, ...generated },
        destroys: true,
        run: withSeeds(async (seeds, call) => answer(await seeds.clean(howOf(call)))),
      },
      {
        name: 'validate',
        description: 'which rows are missing or differ; writes nothing',
        options: { demo: { type: 'boolean', description: 'with the demo' }, ...only, ...generated },
        run: withSeeds(async (seeds, call) => {
          const report = await seeds.validate({ demo: call.options.demo === true, ...howOf(call) })
          return answer(report, 'validate')
        }),
      },
      {
        name: 'status',
        description: 'which seeders have run, when, and how many rows it was',
        run: withSeeds(async (seeds) => {
          const entries = await seeds.ledger()
          const rows = entries.map(({ name, organisation, environment, rows: count, ms, seededAt }) => [
            name,
            organisation ?? '',
            environment,
            String(count),
            `${ms} ms`,
            seededAt.toISOString(),
          ])
          return {
            text: rows.length === 0 ? 'Nothing has been seeded' : rows,
            json: { seeders: entries },
          }
        }),
      },
    ],
  }
}

/** `1` and `'1'` are different seeds; on a command line there are only texts. */
function toSeed(text: string): string | number {
  return /^\d{1,15}$/.test(text) ? Number(text) : text
}

function howOf({ options, signal }: CommandCall): Parameters<Seeds['all']>[0] & object {
  return {
    clean: options.clean === true,
    force: options.force === true,
    signal,
    ...(Array.isArray(options.only) && { only: options.only as readonly string[] }),
  }
}

/** Tells of every 100,000 rows; few rows are told by the answer. */
function teller(call: CommandCall): Parameters<typeof createSeeds>[0]['onProgress'] & object {
  let told = 0
  return ({ seeder, organisation, model, rows }) => {
    if (rows < told) told = 0
    if (rows < told + 100_000) return
    told = rows
    call.progress(`${seeder}${organisation === undefined ? '' : ` ${organisation}`}: ${model}, ${rows} rows`)
  }
}

function answer(report: SeedReport, mode: 'seed' | 'validate' = 'seed'): CommandAnswer {
  const { results, created, updated, unchanged, deleted, ms, ok } = report
  const words = mode === 'validate' ? (['missing', 'different'] as const) : (['created', 'changed'] as const)
  const counts = (of: Pick<SeedReport, 'created' | 'updated' | 'unchanged' | 'deleted'>): string =>
    [
      [of.created, words[0]],
      [of.updated, words[1]],
      [of.unchanged, 'as they were'],
      [of.deleted, 'removed'],
    ]
      .filter(([count]) => count !== 0)
      .map(([count, word]) => `${Number(count).toLocaleString('en-US')} ${word}`)
      .join(', ')
  const rows = results.map((result) => [
    result.status === 'done' && result.problems.length > 0 ? 'wrong' : result.status,
    `${result.seeder}${result.organisation === undefined ? '' : ` ${result.organisation}`}`,
    `${result.ms} ms`,
    [counts(result), ...result.problems, ...result.errors.map(({ message }) => message)]
      .filter(Boolean)
      .join('; '),
  ])
  const total = ['', 'all', `${ms} ms`, counts({ created, updated, unchanged, deleted }) || 'nothing to do']
  return {
    text: [...rows, total],
    json: report,
    exitCode: results.some(({ status }) => status === 'failed') ? 1 : ok ? 0 : 2,
  }
}
