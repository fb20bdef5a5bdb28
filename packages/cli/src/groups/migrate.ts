import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Command, CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { assertEnvironment, markEnvironment, markedEnvironment } from '@org/db-core/environment'
import { createMigrator, type Migrator, type Resolution, type Strategy } from '@org/db-migrations'
import type { OrgdbConfig } from '../config.ts'
import { UsageError } from '../usage-error.ts'
import { answers } from './answers.ts'
import { progressLine } from './progress-line.ts'

const shared = {
  directory: { type: 'string', description: 'the folder of migrations; default prisma/migrations' },
  'prisma-schema': {
    type: 'string',
    description: 'default prisma/schema if it is there, else prisma/schema.prisma',
  },
  wait: { type: 'number', description: 'longest wait for another runner, in seconds; default 60' },
} as const

type Run = (migrator: Migrator, call: CommandCall) => Promise<CommandAnswer>
type Given = Omit<Command, 'run'> & {
  readonly run: Run
  /** Whether it only looks, and so may look at any database. */
  readonly reads?: boolean
}

const to = { to: { type: 'string', description: 'up to this migration' } } as const
const strategy = {
  'rollback-support': {
    type: 'boolean',
    description: 'every migration needs a rollback.sql, or says there is none',
  },
  'zero-downtime': {
    type: 'boolean',
    description: 'contract steps wait until their expand steps are finished',
  },
  'no-data-scripts': { type: 'boolean', description: 'leave data.ts for a later deployment' },
} as const

const commands: readonly Given[] = [
  {
    name: 'create',
    reads: true,
    description: 'write the next migration and its rollback from the Prisma schema',
    arguments: ['NAME'],
    options: {
      description: { type: 'string', description: 'for metadata.json' },
      empty: { type: 'boolean', description: 'whatever the schema says, an empty one to fill in' },
    },
    async run(migrator, call) {
      const description = text(call, 'description')
      const created = await migrator.create({
        name: call.arguments.NAME ?? '',
        ...(description !== undefined && { description }),
        empty: call.options.empty === true,
      })
      return answers.created(created)
    },
  },
  {
    name: 'lint',
    reads: true,
    description: 'hold pending migrations against the rules',
    options: { offline: { type: 'boolean', description: 'all of the folder, without a database' } },
    run: async (migrator, { options }) =>
      answers.linted(await migrator.lint({ offline: options.offline === true })),
  },
  {
    name: 'plan',
    reads: true,
    description: 'what is pending, statement by statement, with locks and sizes',
    options: { ...to, 'no-data-scripts': strategy['no-data-scripts'] },
    run: async (migrator, call) => answers.planned(await migrator.plan(upTo(call))),
  },
  {
    name: 'deploy',
    description: 'apply what is pending',
    options: { ...to, ...strategy, 'dry-run': { type: 'boolean', description: 'the same as plan' } },
    async run(migrator, call) {
      if (call.options['dry-run']) return answers.planned(await migrator.plan(upTo(call)))
      const deployed = answers.deployed(await migrator.deploy(upTo(call)))
      const { environment } = call.config
      const sql = await call.sql()
      if (environment !== undefined && (await markedEnvironment(sql)) === undefined) {
        await markEnvironment(sql, environment)
        call.progress(`the database is marked as ${environment}`)
      }
      return deployed
    },
  },
  {
    name: 'rollback',
    description: 'take back the latest',
    options: {
      to: { type: 'string', description: 'all after this migration' },
      steps: { type: 'number', description: 'so many; default 1' },
      'allow-data-loss': { type: 'boolean', description: 'also where the way back loses data' },
    },
    async run(migrator, call) {
      const [last, { steps }] = [text(call, 'to'), call.options]
      if (typeof steps === 'number' && !(Number.isInteger(steps) && steps >= 1)) {
        throw new UsageError('--steps is no whole number from 1 on')
      }
      const result = await migrator.rollback({
        ...(last !== undefined && { to: last }),
        ...(typeof steps === 'number' && { steps }),
        allowDataLoss: call.options['allow-data-loss'] === true,
      })
      return answers.rolledBack(result)
    },
  },
  {
    name: 'status',
    reads: true,
    description: 'where everything stands',
    run: async (migrator) => answers.status(await migrator.status()),
  },
  {
    name: 'verify',
    reads: true,
    description: 'every migration up, back and up again in a scratch database',
    run: async (migrator) => answers.verified(await migrator.verify()),
  },
  {
    name: 'drift',
    reads: true,
    description: 'what of the database no migration has made',
    run: async (migrator) => answers.drifted(await migrator.drift()),
  },
  {
    name: 'baseline',
    description: 'take migrations as applied, --to NAME',
    options: to,
    async run(migrator, call) {
      const last = text(call, 'to')
      if (last === undefined) throw new UsageError('orgdb migrate baseline needs --to NAME')
      return answers.named('taken as applied', await migrator.baseline({ to: last }))
    },
  },
  {
    name: 'resolve',
    description: 'decide: applied, rolled-back, statement-done, statement-repeat or repeat-data',
    arguments: ['NAME', 'DECISION'],
    async run(migrator, { arguments: { NAME: name = '', DECISION: decision } }) {
      if (!isResolution(decision)) {
        throw new UsageError(`orgdb migrate resolve needs a migration and one of ${resolutions.join(', ')}`)
      }
      await migrator.resolve(name, decision)
      return answers.named(`resolved as ${decision}`, [name])
    },
  },
  {
    name: 'repair',
    description: 'checksums of comment-only edits, invalid indexes',
    run: async (migrator) => answers.repaired(await migrator.repair()),
  },
  {
    name: 'reset',
    description: 'empty the database and deploy anew',
    destroys: true,
    run: async (migrator, { confirmed = '' }) =>
      answers.deployed(await migrator.reset({ confirm: confirmed })),
  },
]

const resolutions: readonly Resolution[] = [
  'applied',
  'rolled-back',
  'statement-done',
  'statement-repeat',
  'repeat-data',
]

function isResolution(value: string | undefined): value is Resolution {
  return (resolutions as readonly (string | undefined)[]).includes(value)
}

function text({ options }: CommandCall, name: string): string | undefined {
  const value = options[name]
  return typeof value === 'string' ? value : undefined
}

function upTo(call: CommandCall): { readonly to?: string } {
  const last = text(call, 'to')
  return last === undefined ? {} : { to: last }
}

/** What the configuration's strategy says, with what the command line asks for on top. */
function strategyOf({ options }: CommandCall, usual: Strategy | undefined): Strategy {
  return {
    ...usual,
    ...(options['rollback-support'] === true && { rollbackSupport: true }),
    ...(options['zero-downtime'] === true && { zeroDowntime: true }),
    ...(options['no-data-scripts'] === true && { dataScripts: false }),
  }
}

function runnerWaitMs({ options: { wait } }: CommandCall): number | undefined {
  if (typeof wait !== 'number') return undefined
  if (!(wait >= 0)) throw new UsageError('--wait is no number of seconds from 0 on')
  return wait * 1_000
}

/** `orgdb migrate …`: each command is one method of the migrator. */
export function migrateGroup(cwd: string, { migrations = {} }: OrgdbConfig): CommandGroup {
  const open = (call: CommandCall): Migrator => {
    const prismaSchema =
      text(call, 'prisma-schema') ??
      migrations.prismaSchema ??
      (existsSync(resolve(cwd, 'prisma/schema')) ? 'prisma/schema' : 'prisma/schema.prisma')
    const waitMs = runnerWaitMs(call)
    return createMigrator({
      ...call.config,
      directory: resolve(cwd, text(call, 'directory') ?? migrations.directory ?? 'prisma/migrations'),
      prismaSchema: resolve(cwd, prismaSchema),
      strategy: strategyOf(call, migrations.strategy),
      ...(waitMs !== undefined && { runnerWaitMs: waitMs }),
      ...(migrations.packages && { packages: migrations.packages }),
      onProgress(event) {
        const line = progressLine(event)
        if (line !== undefined) call.progress(line)
      },
    })
  }
  return {
    name: 'migrate',
    description: 'migrations: create, lint, plan, deploy, roll back, verify, drift',
    commands: commands.map(({ run, options, reads = false, ...command }) => ({
      ...command,
      options: { ...options, ...shared },
      async run(call) {
        const migrator = open(call)
        const isDryRun = call.options['dry-run'] === true
        if (!reads && !isDryRun) await assertEnvironment(await call.sql(), call.environment)
        return run(migrator, call)
      },
    })),
  }
}
