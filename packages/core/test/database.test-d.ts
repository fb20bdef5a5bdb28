import type { Database } from '@org/db-core/client'
import { createDatabase } from '@org/db-core/client'
import { PrismaClient } from '@org/prisma'
import { expectTypeOf } from 'vitest'

const db = createDatabase({ url: 'postgresql://x/y', client: (adapter) => new PrismaClient({ adapter }) })
expectTypeOf(db).toEqualTypeOf<Database<PrismaClient>>()

// Results are those of the user's own client.
expectTypeOf(await db.user.findUnique({ where: { id: 1 }, select: { email: true } })).toEqualTypeOf<{
  email: string
} | null>()
// @ts-expect-error a wrong field
await db.user.findMany({ where: { emial: 'x' } })
// @ts-expect-error extensions belong into the option `client`
db.$extends({})

expectTypeOf(await db.transaction(async () => 7)).toEqualTypeOf<number>()
expectTypeOf(await db.transaction(async (tx) => tx.depth)).toEqualTypeOf<number>()
expectTypeOf(await db.$transaction(async (tx) => tx.user.count())).toEqualTypeOf<number>()
expectTypeOf(
  await db.$transaction([db.user.count(), db.user.findMany({ select: { id: true } })]),
).toEqualTypeOf<[number, { id: number }[]]>()
expectTypeOf(db.$client).toEqualTypeOf<PrismaClient>()
// @ts-expect-error no such level
db.transaction(async () => 7, { isolationLevel: 'Chaos' })

// Extended clients keep what their extension adds.
const extended = createDatabase({
  url: 'postgresql://x/y',
  client: (adapter) =>
    new PrismaClient({ adapter }).$extends({
      result: { user: { label: { needs: { email: true }, compute: (user) => user.email.toUpperCase() } } },
    }),
})
const [user] = await extended.user.findMany()
expectTypeOf(user?.label).toEqualTypeOf<string | undefined>()

const unsubscribe = db.events.on('database.query.slow', (payload) => {
  expectTypeOf(payload.durationMs).toEqualTypeOf<number>()
})
expectTypeOf(unsubscribe).toEqualTypeOf<() => void>()
// @ts-expect-error no such event
db.events.on('database.query.fast', () => undefined)
