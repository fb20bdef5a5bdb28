import { CacheError } from '../errors.ts'
import { checked } from '../option-problems.ts'
import type { QueuedWrite, WriteQueue, WriteQueueOptions } from '../write-queue.ts'
import { createDeadlines } from './deadlines.ts'
import { problemsOfRedisQueue } from './driver-options.ts'
import { unique } from './redis-keys.ts'
import type { RedisLike } from './redis-like.ts'
import { type Script, script } from './redis-scripts.ts'

/** How changes wait in Redis. */
export interface RedisQueueOptions extends WriteQueueOptions {
  /** Begins every key; processes with one prefix share the queue. Letters, digits, `-` and `_`. Default `db-writes`. */
  readonly prefix?: string
  /** Longest wait for Redis, in milliseconds. After two in a row it is not asked for a second. Default `1000`. */
  readonly commandTimeoutMs?: number
}

/** So many silences in a row, and for so long nobody waits for Redis any more. */
const breaker = { failures: 2, cooldownMs: 1_000 }
/** How many refused changes of a repository are kept. */
const maxRefused = 1_000

/**
 * A queue in streams of Redis, one for each repository: what it has taken survives the end of every process, and is
 * written once, in order, whichever process does it. It is as safe as Redis keeps it: nothing is lost with
 * `appendfsync always`, and nothing may be evicted (`maxmemory-policy noeviction`). The last 1,000 changes of a
 * repository that were refused stay in the list `<prefix>:{<prefix>}:refused:<name>`. Needs the tables of
 * `writeBehindSchema`. @throws CacheOptionsError naming every wrong field
 */
export function redisQueue(client: RedisLike, options: RedisQueueOptions = {}): WriteQueue {
  checked(problemsOfRedisQueue(client, options))
  const { prefix = 'db-writes', maxPending = 10_000, commandTimeoutMs = 1_000 } = options
  const inTime = createDeadlines(commandTimeoutMs)
  // One slot of a cluster holds all of it.
  const at = (name: string): string => `${prefix}:{${prefix}}:${name}`
  const source = at('source')
  const streamOf = (repository: string): string => at(`writes:${repository}`)
  const listOf = (repository: string, key: string): string => at(`pending:${repository}:${key}`)
  let failures = 0
  let silentUntil = 0
  // Each command fails with what is wrong; without a listener ioredis writes it to the console as well.
  client.on('error', () => undefined)

  async function send<T>(command: () => Promise<T>): Promise<T> {
    if (performance.now() < silentUntil) {
      throw new CacheError('DB_CACHE_COMMAND_TIMEOUT', 'Redis has not answered lately and is not asked', {
        retryable: true,
      })
    }
    try {
      const answer = await inTime(command())
      failures = 0
      return answer
    } catch (error) {
      // A refusal is an answer too.
      if (error instanceof Error && error.name === 'ReplyError') failures = 0
      else if (++failures >= breaker.failures) silentUntil = performance.now() + breaker.cooldownMs
      throw error
    }
  }

  return {
    async put(repository, { key, body }) {
      const keys = [streamOf(repository), source, listOf(repository, key)]
      return (await send(() => putScript.run(client, keys, [maxPending, unique(), key, body]))) !== null
    },
    async oldest(repository, limit) {
      const [from, entries] = (await send(() =>
        oldestScript.run(client, [streamOf(repository), source], [limit]),
      )) as [string | null, readonly (readonly [position: string, fields: readonly string[]])[]]
      const writes = entries.map(
        ([position, [, key = '', , body = '']]): QueuedWrite => ({ position, key, body }),
      )
      return { source: `${prefix}/${from}/${repository}`, writes }
    },
    async done(repository, writes, { refused = false } = {}) {
      const lists = writes.map(({ key }) => listOf(repository, key))
      const keys = [streamOf(repository), at(`refused:${repository}`), ...lists]
      const args = [refused ? maxRefused : 0, ...writes.map(({ position }) => position)]
      await send(() => doneScript.run(client, keys, args))
    },
    async pending(repository, key) {
      const lines = await send(() => client.lrange(listOf(repository, key), 0, -1))
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

/** KEYS: stream, list of refused ones, then the list of each entry. ARGV: how many refused ones to keep, the entries. */
const doneScript: Script = script(`
local kept = tonumber(ARGV[1])
for i = 2, #ARGV do
  local id = ARGV[i]
  if kept > 0 then
    local found = redis.call('XRANGE', KEYS[1], id, id)
    if found[1] then
      redis.call('RPUSH', KEYS[2], found[1][2][4])
      redis.call('LTRIM', KEYS[2], -kept, -1)
    end
  end
  redis.call('XDEL', KEYS[1], id)
  local head = redis.call('LINDEX', KEYS[i + 1], 0)
  if head and string.sub(head, 1, #id + 1) == id .. ' ' then redis.call('LPOP', KEYS[i + 1]) end
end
return 1
`)
