import { createRandom } from '../tenants/random.ts'
import { openOurs } from './our-world.ts'
import { openBento, openExtension } from './peer-worlds.ts'
import type { Commit, Read, Record } from './record.ts'
import { authorOf, postsPerUser, type Seen, userCount, type World, type WorldOptions } from './world.ts'

// One of the processes that read and write at random. It ends with its parent.

/** How to work. */
export interface Order {
  readonly seconds: number
  readonly seed: number
  readonly process: number
  readonly workers: number
  /** On a machine that is busy with other things a worker goes on until it has done so much. */
  readonly leastOperations: number
}

/** However busy the machine is. */
const longestMs = 40_000

/** The libraries that can be put to the test. */
export const worlds: Readonly<{ [name: string]: (options: WorldOptions) => Promise<World> }> = {
  '@org/db-cache': openOurs,
  'prisma-extension-redis': openExtension,
  bentocache: openBento,
}

/** Of one clock for all processes of the machine. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6

async function work(world: World, order: Order): Promise<Record> {
  const commits: Commit[] = []
  const reads: Read[] = []
  const counts = { rolledBack: 0, failed: 0, slowestReadMs: 0 }
  const endAt = now() + order.seconds * 1_000
  let writes = 0

  function committed(rows: readonly Seen[]): void {
    const at = now()
    for (const { id, views, title } of rows) {
      commits.push({ post: id, version: views, token: title, at, process: order.process })
    }
  }

  async function read(ask: () => Promise<readonly Seen[]>): Promise<void> {
    const at = now()
    const rows = await ask()
    counts.slowestReadMs = Math.max(counts.slowestReadMs, now() - at)
    for (const { id, views, title } of rows) {
      reads.push({ post: id, version: views, token: title, at, process: order.process })
    }
  }

  async function worker(index: number): Promise<void> {
    const random = createRandom(order.seed * 1_000 + order.process * 100 + index)
    const post = (): number => random.below(userCount * postsPerUser) + 1
    const isEnough = (done: number): boolean =>
      now() >= endAt && (done >= order.leastOperations || now() >= endAt + longestMs)
    for (let done = 0; !isEnough(done); done++) {
      const draw = random.below(1_000)
      const id = post()
      const token = `${order.process}-${++writes}`
      try {
        if (draw < 650) await read(async () => [await world.post(id)])
        else if (draw < 950) await read(() => world.postsOf(authorOf(id)))
        else if (draw < 970) committed([await world.write(id, token)])
        else if (draw < 982) committed([await world.writeNested(authorOf(id), id, token)])
        else if (draw < 992) committed(await world.transact(inOrder([id, post()]), token, 'commit'))
        else {
          await world.transact(inOrder([id, post()]), token, 'rollback')
          counts.rolledBack++
        }
      } catch {
        // Deadlocks and the like: nothing was committed. How many there were is part of the record.
        counts.failed++
      }
      // Otherwise hits, which never wait for the network, would keep the process from hearing of anything.
      if (random.chance(0.1)) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  await Promise.all(Array.from({ length: order.workers }, (_, index) => worker(index)))
  return { commits, reads, ...counts, hitRatio: world.hitRatio() }
}

/** Whoever locks rows in one order never waits in a circle. */
function inOrder(ids: readonly number[]): readonly number[] {
  return [...new Set(ids)].sort((a, b) => a - b)
}

const { CACHE_WORLD: name = '', CACHE_URL: url = '', CACHE_REDIS_URL: redisUrl = '' } = process.env
const open = worlds[name]
if (open) {
  const world = await open({ url, redisUrl })
  // The first of each kind takes long: code is compiled and connections are opened.
  await world.post(1)
  await world.postsOf(1)
  await world.transact([1], 'never', 'rollback')
  process.on('message', (order: Order) => {
    void work(world, order).then((record) =>
      process.send?.(record, undefined, {}, () => {
        void world.close().finally(() => process.exit())
      }),
    )
  })
  process.once('disconnect', () => process.exit())
  process.send?.('ready')
}
