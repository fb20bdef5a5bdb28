import { startRedis } from '@org/db-testing'
import { cachePackages } from '../peers/caches.ts'
import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'
import { openStampede, type Stampede } from '../src/stampede.ts'

const processes = 4
const callers = 50
const loadMs = 50

const contestants: Readonly<Record<string, string>> = {
  'ours-tiered': '`tieredDriver(memoryDriver(), redisDriver(redis), redisBus(redis))`',
  'ours-l2': '`redisDriver(redis)`',
  'bentocache-l2': '`redisDriver`, `getOrSet`',
  'cacheable-l2': '`@keyv/redis`, `getOrSet`',
  ioredis: 'bare `GET` and `SET`',
}

export const question: Question = {
  title: `${processes * callers} callers in ${processes} processes miss one key at once; the source takes ${loadMs} ms. How long until all have the value, and how often was the source asked?`,
  metric: 'throughput',
  baseline: 'ioredis',
  plan: { rounds: 5, seconds: 2, concurrency: [1], warmUpSeconds: 0.5 },
  async setup({ progress }): Promise<Stage> {
    progress(`starting Redis and ${processes} processes`)
    const redis = await startRedis()
    const stampede = await openStampede(redis.url, processes).catch(async (error: unknown) => {
      await redis.stop()
      throw error
    })
    return {
      variants: Object.entries(contestants).map(([name, detail]) => toVariant(name, detail, stampede)),
      environment: { Redis: '7.0', ...versionsOf(cachePackages) },
      notes: [`The source itself takes ${loadMs} ms of each operation.`],
      async close() {
        await stampede.close()
        await redis.stop()
      },
    }
  },
}

function toVariant(name: string, detail: string, stampede: Stampede): OperationVariant {
  let rounds = 0
  let loads = 0
  let most = 0
  return {
    name,
    get detail() {
      return `${detail}; the source was asked ${(loads / Math.max(1, rounds)).toFixed(2)} times on average, ${most} times at most`
    },
    async operation() {
      const asked = await stampede.run({ peer: name, key: `Item:${rounds++}`, callers, loadMs })
      loads += asked
      most = Math.max(most, asked)
    },
  }
}
