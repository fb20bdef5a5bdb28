import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Interceptor, Operation } from '@org/db-core'
import { currentContext, restoreContext, runInContext } from '@org/db-core'
import type { TestDatabase } from '@org/db-testing'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { freshDatabase, open, type TestClient } from './support/shop-database.ts'

describe('runInContext', () => {
  it('extends the outer context and ends with the callback', () => {
    runInContext({ tenant: 'a', actor: 'x' }, () => {
      runInContext({ actor: 'y' }, () => expect(currentContext()).toEqual({ tenant: 'a', actor: 'y' }))
      expect(currentContext()).toEqual({ tenant: 'a', actor: 'x' })
    })
    expect(currentContext()).toEqual({})
  })

  it('only ever shrinks a deadline', () => {
    runInContext({ deadlineAt: 1_000 }, () => {
      runInContext({ deadlineMs: 60_000 }, () => expect(currentContext().deadlineAt).toBe(1_000))
      runInContext({ deadlineAt: 500 }, () => expect(currentContext().deadlineAt).toBe(500))
    })
  })

  it('keeps the outer signal beside a new one', () => {
    const outer = new AbortController()
    const inner = new AbortController()
    runInContext({ signal: outer.signal }, () =>
      runInContext({ signal: inner.signal }, () => {
        const { signal } = currentContext()
        outer.abort()
        expect(signal?.aborted).toBe(true)
      }),
    )
  })

  it('keeps the effect of a timeout that nobody else holds', async () => {
    setFlagsFromString('--expose_gc')
    const collectGarbage = runInNewContext('gc') as () => void
    const signal = runInContext({ signal: new AbortController().signal }, () =>
      runInContext({ signal: AbortSignal.timeout(30) }, () => currentContext().signal),
    )
    // A signal counts as held until the end of the turn in which it was made.
    await new Promise((resolve) => setImmediate(resolve))
    collectGarbage()
    await vi.waitFor(() => expect(signal?.aborted).toBe(true))
  })

  it('restores a captured context exactly', () => {
    const captured = runInContext({ tenant: 'a' }, currentContext)
    runInContext({ tenant: 'b', actor: 'x' }, () =>
      restoreContext(captured, () => expect(currentContext()).toEqual({ tenant: 'a' })),
    )
  })
})

describe('a call', () => {
  let database: TestDatabase
  let db: TestClient
  const seen: Operation[] = []
  const recorder: Interceptor = {
    name: 'recorder',
    stage: 'observe',
    intercept(operation, next) {
      seen.push(operation)
      return next(operation)
    },
  }

  beforeAll(async () => {
    database = await freshDatabase()
    db = open(database.url, { use: [recorder] })
  })
  afterAll(async () => {
    await db.close()
    await database.drop()
  })

  const tenants = async (work: () => Promise<unknown>): Promise<unknown[]> => {
    seen.length = 0
    await work()
    return seen.map(({ context }) => context.tenant)
  }

  it('has the context in which it was made, not the one in which it is awaited', async () => {
    const found = await tenants(async () => {
      const a = db.run({ tenant: 'a' }, () => db.user.count())
      const b = db.run({ tenant: 'b' }, () => db.user.findMany())
      await db.run({ tenant: 'other' }, async () => {
        await a
        await b
      })
    })
    expect(found).toEqual(['a', 'b'])
  })

  it('has no context when it was made outside, even if awaited inside', async () => {
    const found = await tenants(async () => {
      const outside = db.user.count()
      await db.run({ tenant: 'a' }, async () => {
        await outside
      })
    })
    expect(found).toEqual([undefined])
  })

  it('keeps its own context in a batch', async () => {
    const found = await tenants(() =>
      db.$transaction([
        db.run({ tenant: 'a' }, () => db.user.count()),
        db.run({ tenant: 'b' }, () => db.user.count()),
      ]),
    )
    // The batch as a whole belongs to nobody.
    expect(found).toEqual([undefined, 'a', 'b'])
  })

  it('keeps it through relations that are followed', async () => {
    const user = await db.user.create({ data: { email: 'f', posts: { create: { title: 't', slug: 'f' } } } })
    const found = await tenants(async () => {
      const posts = db.run({ tenant: 'a' }, () => db.user.findUnique({ where: { id: user.id } }).posts())
      expect(await posts).toHaveLength(1)
    })
    expect(found).toEqual(['a'])
  })

  it('continues in the context of whoever attached the callback', async () => {
    const call = db.run({ tenant: 'a' }, () => db.user.count())
    await db.run({ tenant: 'b' }, async () => {
      const inside = await call.then(() => currentContext().tenant)
      expect([inside, currentContext().tenant]).toEqual(['b', 'b'])
    })
  })

  it('starts only once, however often it is awaited', async () => {
    const found = await tenants(async () => {
      const call = db.user.count()
      await Promise.all([call, call])
    })
    expect(found).toHaveLength(1)
  })
})
