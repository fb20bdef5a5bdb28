import { execFile } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { DatabaseEvents } from '@org/db-core'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type ReplicatedShop, sql, startReplicatedShop } from './support/replicated-shop.ts'
import type { TestClient } from './support/shop-database.ts'

let shop: ReplicatedShop
let db: TestClient
beforeAll(async () => {
  shop = await startReplicatedShop(2)
  db = shop.open()
  await db.connect()
})
afterAll(async () => {
  await db.close()
  await shop[Symbol.asyncDispose]()
})
beforeEach(async () => {
  await sql(shop.primary.url, 'TRUNCATE users CASCADE')
  await shop.caughtUp()
})

const served = (of = db): number => of.metrics().replicas.reduce((sum, each) => sum + each.served, 0)
const states = (of = db): string[] => of.metrics().replicas.map((each) => each.state)
/** Waits until `check` holds; what servers do takes its time. */
async function until(check: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await check()); await delay(10)) {
    if (Date.now() > deadline) throw new Error(`Not within 10 s: ${check}`)
  }
}
const servers = async (run: () => Promise<readonly { port: number | null }[]>): Promise<number | null> =>
  (await run())[0]?.port ?? null
const whichServer = 'SELECT inet_server_port() AS port'

describe('where calls go', () => {
  it('sends reads to the replicas in turn, and everything else to the primary', async () => {
    const before = db.metrics().replicas.map((each) => each.served)
    for (let index = 0; index < 10; index++) await db.user.findMany()
    const after = db.metrics().replicas.map((each) => each.served)
    expect(after.map((count, index) => count - (before[index] ?? 0))).toEqual([5, 5])

    expect(await servers(() => db.$queryRawUnsafe(whichServer))).toBe(shop.primary.port)
    await db.transaction(async () => {
      expect(await db.user.findMany()).toEqual([])
      expect(await servers(() => db.$queryRawUnsafe(whichServer))).toBe(shop.primary.port)
    })
    await db.$transaction([db.user.findMany(), db.user.count()])
    expect(served()).toBe(after.reduce((sum, count) => sum + count, 0))
  })

  it('gives more to the heavier one, and the next call to the one with less to do', async () => {
    const [light, heavy] = shop.replicas.map((replica) => replica.url)
    await using weighted = shop.open({
      replicaUrls: [light as string],
      replicas: { nodes: [{ url: heavy as string, weight: 3 }] },
    })
    await weighted.connect()
    await Promise.all(Array.from({ length: 40 }, () => weighted.user.findMany()))
    expect(weighted.metrics().replicas.map((each) => each.served)).toEqual([10, 30])
  })

  it('keeps findUnique calls of one tick together, so that Prisma merges them', async () => {
    const { id } = await db.primary.user.create({ data: { email: 'merged' } })
    await shop.caughtUp()
    await until(async () => (await db.user.findUnique({ where: { id } })) !== null && served() > 0)
    await delay(60)
    const before = db.metrics().queries.total
    const found = await Promise.all(Array.from({ length: 5 }, () => db.user.findUnique({ where: { id } })))
    expect(found.every((each) => each?.email === 'merged')).toBe(true)
    expect(db.metrics().queries.total - before).toBe(1)
  })

  it('follows relations on the same server', async () => {
    const { id } = await db.user.create({
      data: { email: 'author', posts: { create: { title: 't', slug: 's' } } },
    })
    await shop.caughtUp()
    expect((await db.user.findUnique({ where: { id } }).posts())?.map((post) => post.title)).toEqual(['t'])
  })

  it('lets the caller insist on a side', async () => {
    const before = served()
    await db.primary.user.findMany()
    expect(served()).toBe(before)
    const port = await servers(() => db.replica.$queryRawUnsafe(whichServer))
    expect(shop.replicas.map((replica) => replica.port)).toContain(port)
    await db.transaction(async () => {
      expect(await servers(() => db.replica.$queryRawUnsafe(whichServer))).not.toBe(shop.primary.port)
    })
    const readOnly = { code: 'DB_READ_ONLY' }
    await expect(db.replica.user.create({ data: { email: 'x' } })).rejects.toMatchObject(readOnly)
    await expect(db.replica.$executeRaw`TRUNCATE users`).rejects.toMatchObject(readOnly)
    await expect(db.replica.$transaction([])).rejects.toMatchObject(readOnly)
    const insert = db.replica.$queryRawUnsafe("INSERT INTO users (email) VALUES ('x') RETURNING id")
    await expect(insert).rejects.toMatchObject(readOnly)
  })

  it('reads from the primary by default when told so', async () => {
    await using careful = shop.open({ replicas: { mode: 'primary-by-default' } })
    await careful.connect()
    await careful.user.findMany()
    expect(served(careful)).toBe(0)
    await careful.replica.user.findMany()
    expect(served(careful)).toBe(1)
  })

  it('has the primary behind both names without replicas', async () => {
    await using alone = shop.open({ replicaUrls: [] })
    expect(await servers(() => alone.replica.$queryRawUnsafe(whichServer))).toBe(shop.primary.port)
    expect(alone.metrics().replicas).toEqual([])
  })
})

describe('read-your-writes', () => {
  it('holds while no replica replays', async () => {
    await Promise.all(shop.replicas.map((replica) => replica.pauseReplay()))
    try {
      await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          db.run({ requestId: `r${index}` }, async () => {
            const email = `own-${index}`
            const made = await db.user.create({ data: { email } })
            expect(await db.user.findUnique({ where: { email } })).toMatchObject({ id: made.id })
            await delay(20)
            expect(await db.user.findFirst({ where: { email } })).not.toBeNull()
            await db.run({ actor: 'nested' }, () => db.user.update({ where: { email }, data: { name: 'n' } }))
            expect(await db.user.findFirst({ where: { email } })).toMatchObject({ name: 'n' })
          }),
        ),
      )
      // Who wrote nothing reads what there is.
      await using other = shop.open()
      await other.connect()
      expect(await other.user.findMany()).toEqual([])
      expect(served(other)).toBe(1)
    } finally {
      await Promise.all(shop.replicas.map((replica) => replica.resumeReplay()))
    }
  })

  it('reads from a replica again once that has replayed the write', async () => {
    await db.run({}, async () => {
      await db.user.create({ data: { email: 'soon' } })
      const before = served()
      await until(async () => {
        expect(await db.user.count({ where: { email: 'soon' } })).toBe(1)
        return served() > before
      })
    })
  })

  it('counts a promise from when it is awaited, not from when it was made', async () => {
    await db.run({}, async () => {
      const early = db.user.count({ where: { email: 'between' } })
      await db.user.create({ data: { email: 'between' } })
      expect(await early).toBe(1)
    })
  })

  it('covers transactions, their hooks, batches, raw SQL and db.sql', async () => {
    await Promise.all(shop.replicas.map((replica) => replica.pauseReplay()))
    const count = (): Promise<number> => db.user.count()
    try {
      await db.run({}, async () => {
        let seen = -1
        await db.transaction(async (tx) => {
          await db.user.create({ data: { email: 'a' } })
          tx.afterCommit(async () => {
            seen = await db.user.count()
          })
        })
        expect(seen).toBe(1)
        expect(await count()).toBe(1)
      })
      await db.run({}, async () => {
        await db.$transaction([db.user.create({ data: { email: 'b' } })])
        expect(await count()).toBe(2)
      })
      await db.run({}, async () => {
        await db.$executeRaw`INSERT INTO users (email) VALUES ('c')`
        expect(await count()).toBe(3)
      })
      await db.run({}, async () => {
        await db.sql.query("INSERT INTO users (email) VALUES ('d')")
        expect(await count()).toBe(4)
      })
    } finally {
      await Promise.all(shop.replicas.map((replica) => replica.resumeReplay()))
    }
  })

  it('never fails under load, with replicas that lag in turn', async () => {
    const stop = AbortSignal.timeout(1_500)
    const lag = (async () => {
      for (let turn = 0; !stop.aborted; turn++) {
        const replica = shop.replicas[turn % 2]
        await replica?.pauseReplay()
        await delay(100)
        await replica?.resumeReplay()
      }
    })()
    let checks = 0
    const before = served()
    const writers = Array.from({ length: 12 }, async (_, writer) => {
      for (let round = 0; !stop.aborted; round++) {
        await db.run({}, async () => {
          const email = `load-${writer}-${round}`
          await db.user.create({ data: { email } })
          for (let read = 0; read < 5; read++) {
            expect(await db.user.count({ where: { email } })).toBe(1)
            checks += 1
          }
          const token = await db.consistencyToken()
          await db.run({ consistency: token as string }, async () => {
            expect(await db.user.count({ where: { email } })).toBe(1)
          })
        })
      }
    })
    await Promise.all([...writers, lag])
    expect(checks).toBeGreaterThan(100)
    expect(served()).toBeGreaterThan(before)
  })
})

describe('consistencyToken', () => {
  it('is short, fits in a header, and absent where nothing was written', async () => {
    expect(await db.run({}, () => db.consistencyToken())).toBeUndefined()
    const token = await db.run({}, async () => {
      await db.user.create({ data: { email: 'token' } })
      return db.consistencyToken()
    })
    expect(token).toMatch(/^1\.[0-9A-F]{1,8}-[0-9A-F]{1,8}$/)
  })

  it('shows the write to a database object that knows nothing of it', async () => {
    await Promise.all(shop.replicas.map((replica) => replica.pauseReplay()))
    try {
      const token = await db.run({}, async () => {
        await db.user.create({ data: { email: 'elsewhere' } })
        return db.consistencyToken()
      })
      await using other = shop.open()
      await other.connect()
      expect(await other.run({}, () => other.user.count())).toBe(0)
      expect(await other.run({ consistency: token as string }, () => other.user.count())).toBe(1)
      // A token is handed on by those who only read.
      expect(await other.run({ consistency: token as string }, () => other.consistencyToken())).toBe(token)
    } finally {
      await Promise.all(shop.replicas.map((replica) => replica.resumeReplay()))
    }
  })

  it('is refused when it is none', () => {
    expect(() => db.run({ consistency: 'yesterday' }, () => 1)).toThrow(
      expect.objectContaining({
        code: 'DB_VALIDATION',
        message: expect.stringContaining('consistency token'),
      }),
    )
  })
})

describe('a replica in trouble', () => {
  const events = (of: TestClient): string[] => {
    const seen: string[] = []
    of.events.on('database.replica.down', ({ name, reason }: DatabaseEvents['database.replica.down']) =>
      seen.push(`down ${name} ${reason}`),
    )
    of.events.on('database.replica.up', ({ name }) => seen.push(`up ${name}`))
    return seen
  }

  it('is left out while it lags, and comes back', async () => {
    await using fussy = shop.open({ replicas: { maxLagMs: 200 } })
    const seen = events(fussy)
    await fussy.connect()
    const [first] = shop.replicas
    await first?.pauseReplay()
    await sql(shop.primary.url, "INSERT INTO users (email) VALUES ('behind')")
    await until(() => states(fussy)[0] === 'lagging')
    const { lagMs, lagBytes } = fussy.metrics().replicas[0] ?? {}
    expect(lagMs).toBeGreaterThan(200)
    expect(lagBytes).toBeGreaterThan(0)
    for (let index = 0; index < 6; index++) expect(await fussy.user.count()).toBe(1)
    expect(states(fussy)).toEqual(['lagging', 'up'])
    await first?.resumeReplay()
    await until(() => states(fussy)[0] === 'up')
    expect(seen).toEqual([`down 127.0.0.1:${first?.port} lagging`, `up 127.0.0.1:${first?.port}`])
  })

  it('fails no read when it is killed, and serves again when it is back', async () => {
    await using own = shop.open()
    const seen = events(own)
    await own.connect()
    const [first] = shop.replicas
    let failures = 0
    let stop = false
    const readers = Array.from({ length: 8 }, async () => {
      while (!stop) {
        await own.user.count().catch(() => {
          failures += 1
        })
      }
    })
    await first?.kill()
    await until(() => states(own)[0] === 'down')
    await first?.start()
    await until(() => states(own)[0] === 'up')
    stop = true
    await Promise.all(readers)
    expect(failures).toBe(0)
    expect(seen).toEqual([`down 127.0.0.1:${first?.port} unreachable`, `up 127.0.0.1:${first?.port}`])
  })

  it('holds up nobody for long when it hangs', async () => {
    await using own = shop.open()
    await own.connect()
    const [first] = shop.replicas
    for (let index = 0; index < 4; index++) await own.user.count()
    first?.pause()
    try {
      const startedAt = Date.now()
      expect(await Promise.all(Array.from({ length: 4 }, () => own.user.count()))).toEqual([0, 0, 0, 0])
      expect(Date.now() - startedAt).toBeLessThan(5_000)
      expect(states(own)[0]).not.toBe('up')
    } finally {
      first?.resume()
    }
    await until(() => states(own)[0] === 'up')
  })

  it('leaves reads to the primary when all are gone, except those of db.replica', async () => {
    await using own = shop.open()
    await own.connect()
    await Promise.all(shop.replicas.map((replica) => replica.shutdown()))
    try {
      expect(await own.user.count()).toBe(0)
      await until(() => states(own).every((state) => state === 'down'))
      expect(await own.user.count()).toBe(0)
      await expect(own.replica.user.count()).rejects.toMatchObject({ code: 'DB_UNREACHABLE' })
    } finally {
      await Promise.all(shop.replicas.map((replica) => replica.start()))
    }
    await until(() => states(own).every((state) => state === 'up'))
  })

  it('hands on to the primary what has not arrived there yet', async () => {
    await using own = shop.open()
    await own.connect()
    await Promise.all(shop.replicas.map((replica) => replica.pauseReplay()))
    try {
      await sql(
        shop.primary.url,
        'ALTER TABLE users RENAME name TO nickname; ALTER TABLE users ADD name text',
      )
      await sql(shop.primary.url, 'ALTER TABLE team RENAME TO crew; ALTER TABLE crew RENAME TO team')
      expect(await own.user.findMany()).toEqual([])
    } finally {
      await sql(shop.primary.url, 'ALTER TABLE users DROP name; ALTER TABLE users RENAME nickname TO name')
      await Promise.all(shop.replicas.map((replica) => replica.resumeReplay()))
    }
  })
})

describe('another process', () => {
  const run = async (token: string): Promise<string> => {
    const program = `
      import { createDatabase } from '@org/db-core/client'
      import { PrismaClient } from '@org/prisma'
      const { PRIMARY, REPLICA, TOKEN } = process.env
      const db = createDatabase({
        url: PRIMARY ?? '', replicaUrls: [REPLICA ?? ''], pool: { idleTimeoutMs: 100 },
        client: (adapter) => new PrismaClient({ adapter }),
      })
      await db.connect()
      const count = () => db.user.count()
      const [with_, without] = [await db.run({ consistency: TOKEN }, count), await db.run({}, count)]
      process.stdout.write([with_, without].join(' '))`
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--conditions=@org/source', '--import', 'tsx', '--input-type=module', '--eval', program],
      {
        cwd: new URL('../../../proofs', import.meta.url),
        timeout: 20_000,
        env: { ...process.env, PRIMARY: shop.primary.url, REPLICA: shop.replicas[0]?.url, TOKEN: token },
      },
    )
    return stdout
  }

  it('sees with a token what this one has written, and ends by itself without being closed', async () => {
    await Promise.all(shop.replicas.map((replica) => replica.pauseReplay()))
    try {
      const token = await db.run({}, async () => {
        await db.user.create({ data: { email: 'process' } })
        return db.consistencyToken()
      })
      expect(await run(token as string)).toBe('1 0')
    } finally {
      await Promise.all(shop.replicas.map((replica) => replica.resumeReplay()))
    }
  })
})
