import { createHash } from 'node:crypto'
import type { RedisLike } from './redis-like.ts'

/** A Lua script, sent by its hash. */
export interface Script {
  run(
    client: RedisLike,
    keys: readonly string[],
    args: readonly (string | number | Buffer)[],
  ): Promise<unknown>
}

export function script(text: string): Script {
  const sha = createHash('sha1').update(text).digest('hex')
  return {
    async run(client, keys, args) {
      try {
        return await client.evalsha(sha, keys.length, ...keys, ...args)
      } catch (error) {
        // A server that has been restarted knows no scripts.
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return client.eval(text, keys.length, ...keys, ...args)
      }
    },
  }
}

/**
 * Makes sure that each key has a version, and returns them. The entry's version is the token after its first
 * character, which survives refreshes and goes with the entry; a missing entry gets a placeholder with a new token.
 * KEYS: versions, then the entry if ARGV[1] is 1. ARGV: has entry, unique, ttl of versions, ttl of placeholders.
 */
export const leaseScript: Script = script(`
local found = {}
local last = #KEYS
if ARGV[1] == '1' then last = last - 1 end
for i = 1, last do
  local version = redis.call('GET', KEYS[i])
  if not version then
    version = ARGV[2]
    redis.call('SET', KEYS[i], version, 'PX', ARGV[3])
  elseif string.sub(version, 1, 1) ~= '!' then
    redis.call('PEXPIRE', KEYS[i], ARGV[3])
  end
  found[i] = version
end
if ARGV[1] == '1' then
  local head = redis.call('GETRANGE', KEYS[#KEYS], 1, 40)
  local token = string.match(head, '^([^;]*);')
  if not token then
    token = ARGV[2]
    redis.call('SET', KEYS[#KEYS], 'L' .. token .. ';', 'PX', ARGV[4])
  end
  found[#KEYS] = token
end
return found
`)

/**
 * Stores the entry if its token and the versions beside it are still those of the lease.
 * KEYS: versions, then the entry. ARGV: the record, its ttl, then what each key must hold.
 */
export const writeScript: Script = script(`
for i = 1, #KEYS - 1 do
  if redis.call('GET', KEYS[i]) ~= ARGV[i + 2] then return 0 end
end
local token = ARGV[#KEYS + 2] .. ';'
if redis.call('GETRANGE', KEYS[#KEYS], 1, #token) ~= token then return 0 end
redis.call('SET', KEYS[#KEYS], ARGV[1], 'PX', ARGV[2])
return 1
`)

/**
 * Adds patterns to the rules of the generation and moves its revision. Where Redis is out of memory, or there are
 * too many rules, everything goes. KEYS: generation, rules. ARGV: most rules, then patterns.
 */
export const patternScript: Script = script(`
local generation = redis.call('GET', KEYS[1])
if not generation then return 0 end
if string.sub(generation, 1, 1) == '!' then return 0 end
local base, revision = string.match(generation, '^(.*)%.(%d+)$')
if not base then base, revision = generation, 0 end
revision = tonumber(revision) + 1
local failed = false
for i = 2, #ARGV do
  local added = redis.pcall('RPUSH', KEYS[2], base .. ' ' .. revision .. ' ' .. ARGV[i])
  if type(added) == 'table' and added.err or type(added) == 'number' and added > tonumber(ARGV[1]) then failed = true end
end
if not failed then
  local set = redis.pcall('SET', KEYS[1], base .. '.' .. revision, 'KEEPTTL')
  if type(set) == 'table' and set.err then failed = true end
end
if failed then redis.call('DEL', KEYS[1], KEYS[2]) end
return 1
`)

/** Voids what was stored before the server was started. KEYS: the server's identity, generation, rules. ARGV: identity. */
export const greetScript: Script = script(`
local known = redis.call('GET', KEYS[1])
if known == ARGV[1] then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('SET', KEYS[1], ARGV[1])
return 1
`)

/** Voids everything and lets nothing be stored or trusted for a while. KEYS: generation, rules. ARGV: value, ttl. */
export const settleScript: Script = script(`
redis.call('DEL', KEYS[1], KEYS[2])
redis.pcall('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

/** Releases a lock that is still ours. */
export const releaseScript: Script = script(`
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
`)
