// Starts servers as a test process would, says where they are, and then does what the argument says.
import { startPgBouncer, startPostgres, startProxy, startRedis, whichServers } from '../src/index.ts'

const postgres = await startPostgres()
const paths = [postgres.dataDirectory]
const pids = [postgres.pid]
const available = (await whichServers()).filter((each) => each.available).map((each) => each.server)
if (available.includes('pgbouncer')) {
  const bouncer = await startPgBouncer({ url: postgres.url })
  pids.push(bouncer.pid)
  paths.push(bouncer.logFile)
}
if (available.includes('redis')) {
  const redis = await startRedis()
  pids.push(redis.pid)
  paths.push(redis.logFile)
}
await startProxy({ targetPort: postgres.port })

const [, , then] = process.argv
if (then === 'pause') postgres.pause()
process.stdout.write(`${JSON.stringify({ pids, paths })}\n`, () => {
  if (then === 'exit') process.exit(0)
  if (then !== 'fall') setInterval(() => {}, 1_000)
})
