import { readFile } from 'node:fs/promises'
import { startPostgres } from '@org/db-testing'
import { PrismaClient } from '@org/prisma'
import { metadata } from '@org/prisma/metadata'
import fc from 'fast-check'
import { type Difference, readOnBoth, type Sides, storeOnBoth, ways } from '../src/differential/comparison.ts'
import { type GeneratedClient, generateClient } from '../src/differential/generated-client.ts'
import { randomCall } from '../src/differential/random-calls.ts'
import { type RandomRow, randomRows } from '../src/differential/random-rows.ts'
import { randomSchema } from '../src/differential/random-schema.ts'
import { openSide } from '../src/differential/side.ts'
import type { Check, Prove, ProveOptions } from '../src/proof.ts'

export const title =
  'Random schemas, rows and calls give through our fast path and bulk methods what they give through plain Prisma, type for type.'

const scales = {
  full: { rounds: 90, calls: 40, rows: 40, schemas: 12, models: 5 },
  short: { rounds: 6, calls: 20, rows: 15, schemas: 1, models: 4 },
} as const

export const prove: Prove = async ({ scale, report, signal }) => {
  const { rounds, calls, rows, schemas, models } = scales[scale]
  await using server = await startPostgres()
  const seed = Math.floor(Math.random() * 2 ** 31)
  report.figure({ name: 'seed', value: seed })
  const tally: Tally = { seed, stores: [], reads: [], compared: 0, statements: 0 }

  /** Runs `rounds` over models of one schema, on a pair of databases of their own. */
  async function compare(name: string, setup: string, client: GeneratedClient, plan: Plan): Promise<void> {
    const urls = await Promise.all(
      ['theirs', 'ours'].map((each) => server.createDatabase({ name: `${name}_${each}` })),
    )
    const [theirs, ours] = await Promise.all(urls.map(({ url }) => openSide(url, setup, client)))
    try {
      await compareRounds({ theirs, ours } as Sides, client, plan, tally, signal)
    } finally {
      await Promise.all([theirs?.close(), ours?.close()])
    }
  }

  const types = await readFile(
    new URL(import.meta.resolve('@org/prisma/migrations/0004_types/migration.sql')),
    'utf8',
  )
  report.progress('every type that Prisma maps')
  await compare(
    'types',
    types,
    { Client: PrismaClient, metadata },
    { models: ['Assortment'], rounds, calls, rows },
  )
  const made = fc.sample(randomSchema(models), { numRuns: schemas, seed })
  for (const [index, { prisma, sql }] of made.entries()) {
    signal.throwIfAborted()
    report.progress(`random schema ${index + 1} of ${schemas}`)
    const client = await generateClient(prisma, signal)
    const names = Object.keys(client.metadata.models)
    await compare(`random_${index}`, sql, client, {
      models: names,
      rounds: names.length * ways.length,
      calls,
      rows,
    })
  }
  const { stores, reads, compared, statements } = tally
  report.figure({ name: 'calls compared', value: compared })
  report.figure({ name: 'random schemas', value: schemas })
  report.figure({ name: 'statements with the fast path', value: statements })
  return [
    check('reads are the same, with the fast path on and off', reads),
    check('what bulk methods store is what createMany stores', stores),
    {
      name: 'the fast path took part',
      passed: statements >= compared / 2,
      detail: `${statements} of ${compared}`,
    },
  ]
}

interface Plan {
  readonly models: readonly string[]
  readonly rounds: number
  readonly calls: number
  readonly rows: number
}

interface Tally {
  readonly seed: number
  readonly stores: Difference[]
  readonly reads: Difference[]
  compared: number
  statements: number
}

async function compareRounds(
  sides: Sides,
  { metadata: schema }: GeneratedClient,
  { models, rounds, calls, rows }: Plan,
  tally: Tally,
  signal: ProveOptions['signal'],
): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    signal.throwIfAborted()
    const name = models[round % models.length] ?? ''
    const model = schema.models[name]
    const step = ways[Math.floor(round / models.length) % ways.length]
    if (!model || !step) continue
    const seed = tally.seed + round
    const size = { minLength: step.atLeast, maxLength: Math.max(step.atLeast, rows) }
    const [data = []] = fc.sample(randomRows(schema, name, round * 1_000 + 1, size), { numRuns: 1, seed })
    tally.stores.push(...(await storeOnBoth(model, data, step.way, sides)))
    const delegate = Reflect.get(sides.theirs.prisma, model.delegate) as {
      findMany(args: object): Promise<unknown>
    }
    const stored = (await delegate.findMany({ take: 200 })) as readonly RandomRow[]
    if (stored.length === 0) continue
    const read = await readOnBoth(fc.sample(randomCall(model, stored), { numRuns: calls, seed }), sides)
    tally.reads.push(...read.differences)
    tally.compared += read.compared
    tally.statements += read.statements
  }
}

function check(name: string, differences: readonly Difference[]): Check {
  const [first] = differences
  const detail =
    first && `${differences.length}, first ${first.text}: ${first.found} instead of ${first.expected}`
  return { name, passed: differences.length === 0, ...(detail !== undefined && { detail }) }
}
