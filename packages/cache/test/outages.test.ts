import { retry } from '@org/db-retry'
import { startProxy } from '@org/db-testing'
import { expect, it } from 'vitest'
import { cache, memoryDriver } from '../src/index.ts'
import { freshDatabase, openCached } from './support/cached-database.ts'

it('the old value is served while the breaker of @org/db-retry is open', async () => {
  const database = await freshDatabase()
  const proxy = await startProxy({ targetPort: Number(new URL(database.url).port) })
  const cached = cache({
    driver: memoryDriver(),
    models: { User: { ttlMs: 20, jitter: 0, graceMs: 60_000 } },
  })
  const breaking = retry({ attempts: 1, breaker: { failures: 2, openMs: 60_000 } })
  const { db, plain, close } = openCached(
    proxy.through(database.url),
    {},
    { use: [cached, breaking], pool: { connectTimeoutMs: 300 }, queryTimeoutMs: 500 },
  )
  await plain.user.create({ data: { id: 1, email: 'ada' } })
  const read = () => db.user.findUnique({ where: { id: 1 } })
  expect(await read()).toMatchObject({ email: 'ada' })
  await new Promise((resolve) => setTimeout(resolve, 30))
  await proxy.stop()
  for (let time = 0; time < 4; time++) {
    await expect(db.post.count()).rejects.toMatchObject({ code: expect.stringMatching(/^DB_/) })
  }
  await expect(db.post.count()).rejects.toMatchObject({ code: 'DB_RETRY_CIRCUIT_OPEN' })
  expect(await read()).toMatchObject({ email: 'ada' })
  await close()
  await database.drop()
})
