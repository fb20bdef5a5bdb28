import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { type DatabaseConfigInput, type Environment, fromEnv } from '@org/db-core'
import { createMigrator, type Migrator, type Resolution } from '@org/db-migrations'
import { type Answer, answers } from './answers.ts'
import { type ParsedArguments, UsageError } from './parse-arguments.ts'
import { progressLine } from './progress-line.ts'
import type { CliHost } from './run-cli.ts'

type Command = (migrator: Migrator, parsed: ParsedArguments, host: CliHost) => Promise<Answer>

const text = ({ values }: ParsedArguments, name: string): string | undefined => {
  const value = values[name]
  return typeof value === 'string' ? value : undefined
}

const commands: Readonly<Record<string, Command>> = {
  async create(migrator, parsed) {
    const [name] = parsed.rest
    if (name === undefined) throw new UsageError('orgdb migrate create needs a name')
    const description = text(parsed, 'description')
    const created = await migrator.create({
      name,
      ...(description !== undefined && { description }),
      empty: parsed.values.empty === true,
    })
    return answers.created(created)
  },
  lint: async (migrator, { values }) =>
    answers.linted(await migrator.lint({ offline: values.offline === true })),
  plan: async (migrator) => answers.planned(await migrator.plan()),
  async deploy(migrator, parsed) {
    if (parsed.values['dry-run']) return answers.planned(await migrator.plan())
    const to = text(parsed, 'to')
    return answers.deployed(await migrator.deploy(to === undefined ? {} : { to }))
  },
  async rollback(migrator, parsed) {
    const [to, steps] = [text(parsed, 'to'), text(parsed, 'steps')]
    if (steps !== undefined && !/^[1-9]\d*$/.test(steps))
      throw new UsageError('--steps is no whole number from 1 on')
    const result = await migrator.rollback({
      ...(to !== undefined && { to }),
      ...(steps !== undefined && { steps: Number(steps) }),
      allowDataLoss: parsed.values['allow-data-loss'] === true,
    })
    return answers.rolledBack(result)
  },
  status: async (migrator) => answers.status(await migrator.status()),
  verify: async (migrator) => answers.verified(await migrator.verify()),
  drift: async (migrator) => answers.drifted(await migrator.drift()),
  async baseline(migrator, parsed) {
    const to = text(parsed, 'to')
    if (to === undefined) throw new UsageError('orgdb migrate baseline needs --to NAME')
    return answers.named('taken as applied', await migrator.baseline({ to }))
  },
  async resolve(migrator, { rest }) {
    const [name, decision] = rest
    if (name === undefined || !isResolution(decision)) {
      throw new UsageError(`orgdb migrate resolve needs a migration and one of ${resolutions.join(', ')}`)
    }
    await migrator.resolve(name, decision)
    return answers.named(`resolved as ${decision}`, [name])
  },
  repair: async (migrator) => answers.repaired(await migrator.repair()),
  async reset(migrator, parsed, host) {
    const confirm = text(parsed, 'confirm') ?? (await ask(host))
    return answers.deployed(await migrator.reset({ confirm }))
  },
}

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

/** Runs one command of `orgdb migrate`, writes what it says, and returns the exit code. */
export async function runMigrate(parsed: ParsedArguments, host: CliHost): Promise<number> {
  const command = commands[parsed.command ?? '']
  if (!command) throw new UsageError(`There is no command ${parsed.command}`)
  const migrator = createMigrator({
    ...configuration(parsed, host),
    directory: text(parsed, 'directory') ?? 'prisma/migrations',
    prismaSchema:
      text(parsed, 'prisma-schema') ??
      (existsSync('prisma/schema') ? 'prisma/schema' : 'prisma/schema.prisma'),
    onProgress(event) {
      const line = progressLine(event)
      if (line !== undefined && !parsed.json) host.stderr.write(`${line}\n`)
    },
  })
  const answer = await command(migrator, parsed, host)
  host.stdout.write(parsed.json ? `${JSON.stringify(answer.json)}\n` : answer.text)
  return answer.exitCode
}

/** The environment's configuration, with what the command line says on top. */
function configuration(parsed: ParsedArguments, host: CliHost): DatabaseConfigInput {
  const environment = text(parsed, 'environment')
  const known: readonly string[] = [
    'development',
    'testing',
    'staging',
    'production',
  ] satisfies readonly Environment[]
  if (environment !== undefined && !known.includes(environment)) {
    throw new UsageError(`--environment is one of ${known.join(', ')}`)
  }
  const own = environment === undefined ? {} : { environment: environment as Environment }
  const url = text(parsed, 'url')
  const usual = fromEnv({ ...host.env })
  if (url === undefined) return { ...usual, ...own }
  // What guards a database holds wherever its address comes from; other ways to an address do not.
  const { directUrl: _way, host: _host, port: _port, database: _database, ...rest } = usual
  return { ...rest, url, ...own }
}

async function ask({ stdin, stderr }: CliHost): Promise<string> {
  if (!stdin.isTTY) throw new UsageError('orgdb migrate reset needs --confirm NAME, the name of the database')
  const lines = createInterface({ input: stdin, output: stderr as NodeJS.WritableStream })
  try {
    return await lines.question('All data goes. Type the name of the database: ')
  } finally {
    lines.close()
  }
}
