import { PrismaClient } from '@org/prisma'
import { PrismaPg } from '@prisma/adapter-pg'
import pg from 'pg'
import { openOurs } from '../peers/ours.ts'
import { withNoopExtension } from '../peers/prisma.ts'
import { versionsOf } from '../src/environment.ts'
import { canonicalItem, newItem } from '../src/item.ts'
import { answerFromMemory, type MemoryResult } from '../src/memory-server.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

const { INT4, TEXT, BOOL, FLOAT8, NUMERIC, TIMESTAMPTZ, JSONB } = pg.types.builtins
const id = 7
const item = newItem()
const answer: MemoryResult = {
  columns: [
    { name: 'id', typeOid: INT4 },
    { name: 'name', typeOid: TEXT },
    { name: 'email', typeOid: TEXT },
    { name: 'active', typeOid: BOOL },
    { name: 'score', typeOid: INT4 },
    { name: 'rating', typeOid: FLOAT8 },
    { name: 'price', typeOid: NUMERIC },
    { name: 'created', typeOid: TIMESTAMPTZ },
    { name: 'meta', typeOid: JSONB },
  ],
  rows: [
    [
      String(id),
      item.name,
      item.email,
      't',
      String(item.score),
      String(item.rating),
      item.price,
      '2024-01-01 00:00:00.123+00',
      JSON.stringify(item.meta),
    ],
  ],
}

export const question: Question = {
  title:
    'Client CPU of one read by primary key, answered from memory: what our layers cost beside plain Prisma.',
  metric: 'client-cpu',
  baseline: 'prisma-extension',
  plan: { rounds: 200, seconds: 0.05, concurrency: [1], warmUpSeconds: 1 },
  async setup({ progress }): Promise<Stage> {
    const undo = answerFromMemory(answer)
    // Nobody listens there: a connection that escapes the memory fails at once.
    const url = 'postgresql://bench:bench@127.0.0.1:1/bench'
    const prisma = new PrismaClient({
      adapter: new PrismaPg({ connectionString: url, max: 1, idleTimeoutMillis: 0 }),
    })
    const extended = withNoopExtension(prisma)
    const ours = openOurs({ url, poolSize: 1 })
    const close = async () => {
      await ours.close()
      await prisma.$disconnect()
      undo()
    }
    const variants: OperationVariant[] = [
      {
        name: 'prisma-extension',
        detail: '`findUnique` through one `$extends` whose query hook only forwards',
        operation: () => extended.benchItem.findUnique({ where: { id } }),
      },
      {
        name: 'control',
        detail: 'the very same call under a second name: how far from 1 it is, is what the noise allows',
        operation: () => extended.benchItem.findUnique({ where: { id } }),
      },
      ...ours.clients.flatMap(({ name, detail, find }) =>
        find ? [{ name, detail, operation: () => find(id) }] : [],
      ),
      {
        name: 'prisma',
        detail: '`findUnique` of the plain client',
        operation: () => prisma.benchItem.findUnique({ where: { id } }),
      },
    ]
    try {
      progress('checking that all variants return the same row')
      for (const { name, operation } of variants) {
        const found = canonicalItem(await operation())
        if (found !== canonicalItem({ ...item, id })) throw new Error(`${name} returns another row: ${found}`)
      }
    } catch (error) {
      await close()
      throw error
    }
    return {
      variants,
      environment: versionsOf(['@prisma/client', '@prisma/adapter-pg', 'pg']),
      notes: [
        'No database and no socket: node-postgres reads and writes its protocol in memory, so that nothing but the client is measured.',
      ],
      close,
    }
  },
}
