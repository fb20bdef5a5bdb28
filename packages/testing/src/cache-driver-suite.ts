import { deepStrictEqual, equal, notEqual, ok } from 'node:assert/strict'

type MaybePromise<T> = T | Promise<T>

/** The `CacheDriver` of `@org/db-cache`, by its shape. */
export interface CacheDriverLike {
  read(key: string, tags: readonly string[]): MaybePromise<CacheEntryLike | undefined>
  lease(key: string, tags: readonly string[]): MaybePromise<CacheLeaseLike | undefined>
  write(lease: CacheLeaseLike, entry: CacheEntryLike): MaybePromise<boolean>
  invalidate(what: {
    readonly tags?: readonly string[]
    readonly keys?: readonly string[]
    readonly patterns?: readonly string[]
    readonly everything?: boolean
  }): MaybePromise<void>
  close?(): Promise<void>
}

interface CacheEntryLike {
  readonly value: unknown
  readonly storedAt: number
  readonly freshUntil: number
  readonly usableUntil: number
}

interface CacheLeaseLike {
  readonly id: string
}

/** What the suite needs. */
export interface CacheDriverSuite {
  /** `it` or `test` of the test runner. */
  readonly it: (name: string, test: () => Promise<void>) => void
  /** An empty driver that is ready to store. The suite closes it. */
  readonly create: () => MaybePromise<CacheDriverLike>
  /**
   * A second driver on the same store, as another process has one; leave it out if there is no such thing. What one
   * invalidates must be seen by the other at once.
   */
  readonly createSecond?: () => MaybePromise<CacheDriverLike>
}

type Case = (driver: CacheDriverLike, other: CacheDriverLike) => Promise<void>

const row = {
  id: 1,
  name: 'Ada',
  at: new Date(5),
  big: 2n ** 70n,
  bytes: new Uint8Array([1, 2]),
  none: undefined,
}

const cases: Readonly<Record<string, Case>> = {
  async 'gives back what was stored, as it was'(driver, other) {
    await put(driver, row)
    const entry = await other.read('Film:k', ['Film'])
    deepStrictEqual(entry?.value, row)
    ok((entry?.freshUntil ?? 0) > Date.now())
  },
  async 'knows nothing of other keys and of entries past their time'(driver) {
    const usableUntil = Date.now() + 30
    await put(driver, row, { usableUntil })
    equal(await driver.read('Film:other', ['Film']), undefined)
    while (Date.now() <= usableUntil) await new Promise((resolve) => setTimeout(resolve, 5))
    equal(await driver.read('Film:k', ['Film']), undefined)
  },
  async 'is not changed by what its callers do to a value'(driver) {
    const mine = { tags: ['a'], at: new Date(5) }
    await put(driver, mine)
    mine.tags.push('b')
    const first = (await driver.read('Film:k', ['Film']))?.value as typeof mine
    first.tags.push('c')
    first.at.setTime(6)
    deepStrictEqual((await driver.read('Film:k', ['Film']))?.value, { tags: ['a'], at: new Date(5) })
  },
  ...Object.fromEntries(
    Object.entries({
      'a tag': { tags: ['Film'] },
      'one of several tags': { tags: ['Film', 'Order'] },
      'a key': { keys: ['Film:k'] },
      'a pattern': { patterns: ['Film:*'] },
      everything: { everything: true },
    }).map(([name, what]) => [
      `forgets by ${name}, and takes nothing that was leased before`,
      async (driver: CacheDriverLike, other: CacheDriverLike) => {
        await put(driver, row)
        const lease = await driver.lease('Film:k', ['Film'])
        await other.invalidate(what)
        equal(await driver.read('Film:k', ['Film']), undefined)
        ok(lease)
        equal(await driver.write(lease, entryOf('late')), false)
        equal(await driver.read('Film:k', ['Film']), undefined)
        equal(await put(driver, 'new'), true)
        equal((await other.read('Film:k', ['Film']))?.value, 'new')
      },
    ]),
  ),
  async 'keeps what an invalidation does not mean'(driver) {
    await put(driver, row)
    await driver.invalidate({
      tags: ['Order', 'Film#1'],
      keys: ['Film'],
      patterns: ['Order:*', '*:kk', 'Film.k'],
    })
    ok(await driver.read('Film:k', ['Film']))
  },
  async 'gives leases of one state one id, and of another state another'(driver) {
    const first = await driver.lease('Film:k', ['Film'])
    const second = await driver.lease('Film:k', ['Film'])
    equal(first?.id, second?.id)
    await driver.invalidate({ tags: ['Film'] })
    notEqual((await driver.lease('Film:k', ['Film']))?.id, first?.id)
  },
  async 'takes several tags, and an entry falls with each of them'(driver) {
    for (const tag of ['Film#7', 'Film*', 'Order']) {
      const lease = await driver.lease('Film:k', ['Film#7', 'Film*', 'Order'])
      ok(lease)
      equal(await driver.write(lease, entryOf(tag)), true)
      equal((await driver.read('Film:k', ['Film#7', 'Film*', 'Order']))?.value, tag)
      await driver.invalidate({ tags: [tag] })
      equal(await driver.read('Film:k', ['Film#7', 'Film*', 'Order']), undefined)
    }
  },
}

/** Puts a cache driver to the test: `testCacheDriver({ it, create: () => myDriver() })`. */
export function testCacheDriver({ it, create, createSecond }: CacheDriverSuite): void {
  for (const [name, run] of Object.entries(cases)) {
    it(name, async () => {
      const driver = await create()
      const second = await createSecond?.()
      try {
        await run(driver, second ?? driver)
      } finally {
        await second?.close?.()
        await driver.close?.()
      }
    })
  }
}

const entryOf = (value: unknown, changes?: Partial<CacheEntryLike>): CacheEntryLike => ({
  value,
  storedAt: Date.now(),
  freshUntil: Date.now() + 60_000,
  usableUntil: Date.now() + 60_000,
  ...changes,
})

async function put(
  driver: CacheDriverLike,
  value: unknown,
  changes?: Partial<CacheEntryLike>,
): Promise<boolean> {
  const lease = await driver.lease('Film:k', ['Film'])
  ok(lease, 'the driver gives no lease')
  return driver.write(lease, entryOf(value, changes))
}
