import { checked, durationProblems, unknownFields } from '../option-problems.ts'
import type { QueuedWrite, WriteQueue, WriteQueueOptions } from '../write-queue.ts'
import { createDeadlines } from './deadlines.ts'
import { unique } from './redis-keys.ts'
import type { RedisLike } from './redis-like.ts'
import { type Script, script } from './redis-scripts.ts'

/** How changes wait in Redis. */
export interface RedisQueueOptions extends WriteQueueOptions {
  /** Begins every key; processes with one prefix share the queue. Letters, digits, `-` and `_`. Default `db-writes`. */
  readonly prefix?: string
  /** Longest wait for Redis, in milliseconds. Default `1000`. */
  readonly commandTimeoutMs?: number
}

/**
 * A queue in a stream of Redis: what it has taken survives the end of every process, and is written once, in order,
 * whichever process does it. It is as safe as Redis keeps it: nothing is lost with `appendfsync always`, and nothing
 * may be evicted (`maxmemory-policy noeviction`). Needs the tables of `writeBehindSchema`.
 * @throws CacheOptionsError naming every wrong field
 */
export function redisQueue(client: RedisLike, options: RedisQueueOptions = {}): WriteQueue {
  const { prefix = 'db-writes', maxPending = 10_000, commandTimeoutMs = 1_000 } = options
  checked([
    ...unknownFields(options, ['prefix', 'maxPending', 'commandTimeoutMs']),
    ...durationProblems({ commandTimeoutMs }, { minMs: 1 }),
    ...(/^[\w-]+$/.test(prefix)
      ? []
      : [{ field: 'prefix', problem: 'must consist of letters, digits, - and _' }]),
  ])
  const inTime = createDeadlines(commandTimeoutMs)
  // One slot of a cluster holds all of it.
  const stream = `${prefix}:{${prefix}}:writes`
  const source = `${prefix}:{${prefix}}:source`
  const listOf = (key: string): string => `${prefix}:{${prefix}}:pending:${key}`

  return {
    async put(key, body) {
      const args = [maxPending, unique(), key, body]
      return (await inTime(putScript.run(client, [stream, source, listOf(key)], args))) !== null
    },
    async oldest(limit) {
      const [from, entries] = (await inTime(oldestScript.run(client, [stream, source], [limit]))) as [
        string | null,
        readonly (readonly [position: string, fields: readonly string[]])[],
      ]
      const writes = entries.map(
        ([position, [, key = '', , body = '']]): QueuedWrite => ({ position, key, body }),
      )
      return { source: `${prefix}/${from}`, writes }
    },
    async done(writes) {
      const keys = [stream, ...writes.map(({ key }) => listOf(key))]
      const positions = writes.map(({ position }) => position)
      await inTime(doneScript.run(client, keys, positions))
    },
    async pending(key) {
      const lines = await inTime(client.lrange(listOf(key), 0, -1))
      return lines.map((line) => line.slice(line.indexOf(' ') + 1))
    },
  }
}

/** KEYS: stream, source, list of the key. ARGV: most entries, a new name for the source, key, body. */
const putScript: Script = script(`
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[1]) then return false end
redis.call('SET', KEYS[2], ARGV[2], 'NX')
local id = redis.call('XADD', KEYS[1], '*', 'key', ARGV[3], 'body', ARGV[4])
redis.call('RPUSH', KEYS[3], id .. ' ' .. ARGV[4])
return id
`)

/** KEYS: stream, source. ARGV: how many. */
const oldestScript: Script = script(`
return {redis.call('GET', KEYS[2]), redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[1])}
`)

/** KEYS: stream, then the list of each entry. ARGV: the entries. */
const doneScript: Script = script(`
for i, id in ipairs(ARGV) do
  redis.call('XDEL', KEYS[1], id)
  local head = redis.call('LINDEX', KEYS[i + 1], 0)
  if head and string.sub(head, 1, #id + 1) == id .. ' ' then redis.call('LPOP', KEYS[i + 1]) end
end
return 1
`)
