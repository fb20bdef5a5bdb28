/** One program that the compiler checks. */
export interface TypeProgram {
  readonly name: string
  readonly detail: string
  readonly text: string
}

/** What a program asks of each model. */
export const calls: readonly string[] = [
  'one row by its id with a selection',
  'a filtered and ordered list with a relation',
  'a count',
  'a creation',
  'an update',
]

/** A schema of models with eleven fields, each referring to the one before it. */
export function schema(models: number): string {
  const header = `
generator client {
  provider            = "prisma-client"
  output              = "./client"
  runtime             = "nodejs"
  moduleFormat        = "esm"
  importFileExtension = "ts"
}
generator metadata {
  provider = "db-metadata"
  output   = "./db-metadata.ts"
}
datasource db {
  provider = "postgresql"
}
`
  const model = (index: number): string => `
model Model${index} {
  id       Int      @id @default(autoincrement())
  name     String
  email    String   @unique
  active   Boolean
  score    Int
  rating   Float?
  price    Decimal
  created  DateTime @default(now())
  meta     Json
  tags     String[]
  parentId Int?
  ${index === 0 ? '' : `parent Model${index - 1}? @relation(fields: [parentId], references: [id])`}
  ${index === models - 1 ? '' : `children Model${index + 1}[]`}
}`
  return header + indexes(models).map(model).join('\n')
}

/** The same application with plain Prisma and with us. */
export function programs(models: number): readonly TypeProgram[] {
  const each = (write: (index: number) => string): string => indexes(models).map(write).join('\n')
  return [
    {
      name: 'prisma-client',
      detail: 'the client alone, which everything else comes on top of',
      text: `${imports.plain}\n${plainClient}\nexport const one = await db.model1.count()\n`,
    },
    {
      name: 'prisma',
      detail: `plain Prisma: the calls on each of ${models} models`,
      text: `${imports.plain}\n${plainClient}\n${each((index) => prismaCalls(index, models))}\n`,
    },
    {
      name: 'ours-client',
      detail: 'the same calls on the database of `createDatabase`',
      text: `${imports.ours}\n${ourClient}\n${each((index) => prismaCalls(index, models))}\n`,
    },
    {
      name: 'ours-repositories',
      detail: `a class that extends \`BaseRepository\` for each of ${models} models, and the calls through it`,
      text: `${imports.ours}\n${ourClient}\n${each((index) => repositoryCalls(index, models))}\n`,
    },
    {
      name: 'ours-extras',
      detail:
        'the same, and for each of ten models keyset pages, bulk, aggregates, loading, locks and full-text search',
      text: `${imports.ours}\n${imports.extras}\n${ourClient}\n${each((index) => repositoryCalls(index, models))}\n${indexes(10).map(extraCalls).join('\n')}\n`,
    },
  ]
}

const imports = {
  plain: `import { PrismaPg } from '@prisma/adapter-pg'\nimport { PrismaClient } from './client/client.ts'`,
  ours: `import { createDatabase } from '@org/db-core/client'
import { BaseRepository } from '@org/db-repository'
import { PrismaClient } from './client/client.ts'
import { metadata } from './db-metadata.ts'`,
  extras: `import { aggregates } from '@org/db-repository/aggregates'
import { bulk } from '@org/db-repository/bulk'
import { fullText } from '@org/db-repository/full-text'
import { keyset } from '@org/db-repository/keyset'
import { loading } from '@org/db-repository/loading'
import { locking } from '@org/db-repository/locking'`,
}
const plainClient = `const db = new PrismaClient({ adapter: new PrismaPg('') })`
const ourClient = `const db = createDatabase({ url: '', metadata, client: (adapter) => new PrismaClient({ adapter }) })
export const ours = BaseRepository`

const data = `{ name: 'a', email: 'b', active: true, score: 1, price: '1.5', meta: {}, tags: [] }`
const listOf = (index: number, models: number): string =>
  `where: { score: { gt: 1 }, active: true }, orderBy: { created: 'desc' }, take: 10${index === models - 1 ? '' : ', include: { children: true }'}`

function prismaCalls(index: number, models: number): string {
  const on = `db.model${index}`
  return `export async function calls${index}() {
  const one = await ${on}.findUnique({ where: { id: 1 }, select: { id: true, name: true } })
  const many = await ${on}.findMany({ ${listOf(index, models)} })
  const count = await ${on}.count({ where: { rating: null } })
  const made = await ${on}.create({ data: ${data} })
  const changed = await ${on}.update({ where: { id: made.id }, data: { score: { increment: 1 } } })
  return [one?.name, many[0]?.email, count, changed.score] as const
}`
}

function repositoryCalls(index: number, models: number): string {
  return `export class Repository${index} extends BaseRepository<typeof db, 'model${index}'> {
  constructor() {
    super(db, 'model${index}')
  }
}
export async function calls${index}() {
  const rows = new Repository${index}()
  const one = await rows.findById(1, { select: { id: true, name: true } })
  const many = await rows.findMany({ ${listOf(index, models)} })
  const count = await rows.count({ rating: null })
  const made = await rows.create(${data})
  const changed = await rows.update(made.id, { score: { increment: 1 } })
  return [one?.name, many[0]?.email, count, changed.score] as const
}`
}

function extraCalls(index: number): string {
  return `export async function extras${index}() {
  const rows = new Repository${index}()
  const page = await keyset(rows).page({ orderBy: { score: 'asc' }, where: { active: true }, select: { id: true } })
  const stored = await bulk(rows).createMany([${data}])
  const { _avg } = await aggregates(rows).aggregate({ _avg: { score: true } })
  const { items } = await loading(rows).findByIds([1], { select: { email: true } })
  const locked = await locking(rows).findById(1, { select: { name: true } })
  const found = await fullText(rows, { highlight: ['name'] }).find({ query: 'x', select: { id: true } })
  return [page.items[0]?.id, stored.count, _avg.score, items[0]?.email, locked?.name, found[0]?.highlights.name] as const
}`
}

function indexes(count: number): readonly number[] {
  return Array.from({ length: count }, (_, index) => index)
}
