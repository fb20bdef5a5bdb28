import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type RedisServer, startRedis } from '@org/db-testing'
import { Cluster, Redis } from 'ioredis'

const password = 'shared'

/** Servers that know each other; `close` stops them. */
export interface Topology {
  readonly nodes: readonly RedisServer[]
  /** A client that finds its way by itself. */
  connect(): Redis | Cluster
  /** A client of one node. */
  connectToOne(): Redis
  close(): Promise<void>
}

async function ask(server: RedisServer, ...command: readonly [string, ...string[]]): Promise<unknown> {
  const client = new Redis(server.url)
  try {
    return await client.call(...command)
  } finally {
    client.disconnect()
  }
}

const shared = (port: number): string => `redis://:${password}@127.0.0.1:${port}`

/** A cluster of three masters. */
export async function startCluster(): Promise<Topology> {
  const nodes = await Promise.all([1, 2, 3].map(() => startRedis({ settings: { 'cluster-enabled': 'yes' } })))
  const [first] = nodes
  for (const [index, node] of nodes.entries()) {
    const from = Math.floor((16_384 / 3) * index)
    const to = Math.floor((16_384 / 3) * (index + 1)) - 1
    await ask(node, 'CLUSTER', 'ADDSLOTSRANGE', String(from), String(index === 2 ? 16_383 : to))
    if (node !== first) await ask(first as RedisServer, 'CLUSTER', 'MEET', '127.0.0.1', String(node.port))
  }
  for (const node of nodes) {
    await until(async () => String(await ask(node, 'CLUSTER', 'INFO')).includes('cluster_state:ok'))
  }
  for (const node of nodes) await ask(node, 'CONFIG', 'SET', 'requirepass', password)
  return {
    nodes,
    connect: () =>
      new Cluster(
        nodes.map(({ port }) => ({ host: '127.0.0.1', port })),
        { redisOptions: { password } },
      ),
    connectToOne: () => new Redis(shared(nodes[0]?.port ?? 0)),
    close: async () => void (await Promise.all(nodes.map((node) => node.stop()))),
  }
}

/** A master with a replica, and a Sentinel that makes the replica master when the master is gone. */
export async function startSentinel(): Promise<Topology> {
  const master = await startRedis()
  await ask(master, 'CONFIG', 'SET', 'masterauth', password)
  await ask(master, 'CONFIG', 'SET', 'requirepass', password)
  const replica = await startRedis({
    settings: { replicaof: `127.0.0.1 ${master.port}`, masterauth: password },
  })
  await ask(replica, 'CONFIG', 'SET', 'requirepass', password)
  const directory = await mkdtemp(join(tmpdir(), 'sentinel-'))
  // Below the range that outgoing connections are given, and no other server's of this test.
  const port = master.port + 7
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${directory}`,
    `sentinel monitor shop 127.0.0.1 ${master.port} 1`,
    `sentinel auth-pass shop ${password}`,
    'sentinel down-after-milliseconds shop 300',
    'sentinel failover-timeout shop 2000',
  ]
  await writeFile(join(directory, 'sentinel.conf'), `${lines.join('\n')}\n`)
  const sentinel = spawn('redis-server', [join(directory, 'sentinel.conf'), '--sentinel'], {
    stdio: 'ignore',
  })
  const end = (): boolean => sentinel.kill('SIGKILL')
  // A test that fails early must not leave it behind.
  process.once('exit', end)
  const nodes = [master, replica]
  const sentinels = [{ host: '127.0.0.1', port }]
  const watching = new Redis(port, '127.0.0.1', { retryStrategy: () => 50 })
  watching.on('error', () => undefined)
  // It can promote only a replica that it has heard of.
  await until(async () =>
    String(await watching.call('SENTINEL', 'REPLICAS', 'shop')).includes(String(replica.port)),
  )
  watching.disconnect()
  return {
    nodes,
    connect: () => new Redis({ sentinels, name: 'shop', password, sentinelRetryStrategy: () => 50 }),
    connectToOne: () => new Redis(shared(master.port)),
    async close() {
      process.off('exit', end)
      end()
      await once(sentinel, 'exit')
      await Promise.all(nodes.map((node) => node.stop()))
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** Waits until it is so, at most 15 seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const giveUpAt = performance.now() + 15_000
  while (!(await condition())) {
    if (performance.now() > giveUpAt) throw new Error('It did not happen within 15 s')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
