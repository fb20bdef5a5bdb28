import { fromEnv } from '@org/db-core'
import { retriesFrom, sayWhy } from '../environment.ts'
import { startServer } from '../server.ts'

// The API of a demo, in a process of its own: the load that the customers make must not slow it down.
// It ends when its parent says so or is gone. Ctrl-C reaches both; the parent decides.
process.on('SIGINT', () => {})
try {
  const server = await startServer({
    database: fromEnv(),
    host: '127.0.0.1',
    port: 0,
    retries: retriesFrom(process.env),
    redisUrl: process.env.REDIS_URL || undefined,
    paymentTroubles: true,
  })
  process.once('disconnect', () => server.stop().catch(sayWhy))
  process.send?.({ url: server.url })
} catch (error) {
  sayWhy(error)
  process.disconnect()
}
