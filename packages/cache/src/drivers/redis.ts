import { type Clock, systemClock } from '@org/db-core'
import { type Codec, jsonCodec } from '../codec.ts'
import { type CompressionOptions, compress, decompress } from '../compression.ts'
import { CacheError } from '../errors.ts'
import { checked } from '../option-problems.ts'
import type { CacheDriver, CacheEntry, CacheFailure, CacheLease, Invalidation } from '../types.ts'
import { problemsOfRedis } from './driver-options.ts'
import { createBatches } from './redis-batch.ts'
import { redisKeys, slotOf, unique } from './redis-keys.ts'
import type { RedisLike } from './redis-like.ts'
import { headOf, parseRecord, type RecordHead } from './redis-record.ts'
import { createRedisRules } from './redis-rules.ts'
import {
  greetScript,
  leaseScript,
  patternScript,
  releaseScript,
  settleScript,
  writeScript,
} from './redis-scripts.ts'
import { createRedisSession } from './redis-session.ts'
import { slotsOf } from './redis-slots.ts'

/** How entries live in Redis. */
export interface RedisDriverOptions {
  /** Begins every key; caches with one prefix share their entries. Letters, digits, `-` and `_`. Default `db-cache`. */
  readonly prefix?: string
  /** Default `jsonCodec()`. */
  readonly codec?: Codec
  /** Default: none. */
  readonly compression?: CompressionOptions
  /** Longest wait for Redis, in milliseconds; then the source is asked. Default `250`. */
  readonly commandTimeoutMs?: number
  /**
   * The bound on staleness while Redis stands still, in milliseconds: how long before a command another one must
   * have been sent, and answered, for the answer to be believed. Default `1000`.
   */
  readonly trustMs?: number
  /**
   * How long nothing is cached after Redis was replaced or restarted, in milliseconds. Must cover the time that your
   * clients take to reconnect, so that each can tell what it had changed meanwhile. Default `1000`.
   */
  readonly settleMs?: number
  /** When to stop asking a Redis that does not answer. */
  readonly breaker?: {
    /** Silences in a row. Default `2`. */
    readonly failures?: number
    /** Pause before the next try, in milliseconds. Default `1000`. */
    readonly cooldownMs?: number
  }
  /** Default: the machine's. */
  readonly clock?: Clock
}

interface RedisLease extends CacheLease {
  readonly key: string
  readonly token: string
  /** The keys of generation and tags in Redis, with their versions. */
  readonly names: readonly string[]
  readonly versions: readonly string[]
}

/** Versions outlive every entry that is in use: each miss that looks at them prolongs them. */
const versionTtlMs = 7 * 24 * 60 * 60 * 1000
/** A source that takes longer than this can't store what it found. */
const placeholderTtlMs = 5 * 60 * 1000
const maxRules = 100
const releaseAgainMs = 50

/**
 * Keeps entries in Redis: a single node, Sentinel or Cluster, with the client that you have. Nothing scans: tags are
 * versions beside the entries, and an entry is good while they are what they were when its source was asked.
 * @throws CacheOptionsError naming every wrong field
 */
export function redisDriver(client: RedisLike, options: RedisDriverOptions = {}): CacheDriver {
  checked(problemsOfRedis(client, options))
  const { prefix = 'db-cache', codec = jsonCodec(), compression, clock = systemClock } = options
  const listeners: ((failure: CacheFailure) => void)[] = []
  const report = (failure: CacheFailure): void => {
    for (const listener of listeners) listener(failure)
  }
  const names = redisKeys(prefix)
  const voidKeys = [names.generation, names.rules]
  const session = createRedisSession({
    client,
    commandTimeoutMs: options.commandTimeoutMs ?? 250,
    trustMs: options.trustMs ?? 1000,
    breakerFailures: options.breaker?.failures ?? 2,
    breakerCooldownMs: options.breaker?.cooldownMs ?? 1000,
    apply,
    greet: (runId) => greetScript.run(client, [names.server, ...voidKeys], [runId]),
    settle: () => settleScript.run(client, voidKeys, [`!${unique()}`, options.settleMs ?? 1000]),
    report,
  })
  const { getAll, parts } = slotsOf(client)
  const nextBatch = createBatches((keys) => session.ask(() => getAll(keys)))
  const rules = createRedisRules(() => session.send(() => client.lrange(names.rules, 0, -1)))

  function find(key: string, tags: readonly string[]): Promise<CacheEntry | undefined> {
    const batch = nextBatch()
    const at = batch.add(names.entry(key))
    const generationAt = batch.add(names.generation)
    const tagsAt = tags.map((tag) => batch.add(names.tag(tag)))
    return batch.answers().then((answers) => {
      const record = answers?.[at] && parseRecord(answers[at])
      if (!answers || !record || record.usableUntil <= clock.now()) return undefined
      const current = batch.text(answers, generationAt)
      let versions = ''
      for (const index of tagsAt) versions += `,${batch.text(answers, index)}`
      const stored = record.versions
      const end = stored.indexOf(',')
      // A tag that is not there has an empty version, which no entry has.
      if (versions !== (end < 0 ? '' : stored.slice(end))) return undefined
      const generations = { stored: end < 0 ? stored : stored.slice(0, end), current }
      const isAllowed = rules.allow(key, generations)
      if (isAllowed === false) return undefined
      if (isAllowed === true && record.compression === '-')
        return entryOf(record, decoded(record, record.bytes))
      return findLater(record, isAllowed)
    })
  }

  async function findLater(
    record: RecordHead,
    isAllowed: boolean | Promise<boolean>,
  ): Promise<CacheEntry | undefined> {
    if (!(await isAllowed)) return undefined
    const { compression: mark, bytes } = record
    return entryOf(record, decoded(record, mark === '-' ? bytes : await decompress({ mark, bytes })))
  }

  function decoded({ codec: id }: RecordHead, bytes: Buffer): unknown {
    if (id !== codec.id) throw new CacheError('DB_CACHE_DECODE', `A value was stored by another codec, ${id}`)
    return codec.decode(bytes)
  }

  async function takeLease(key: string, tags: readonly string[]): Promise<RedisLease | undefined> {
    const entry = names.entry(key)
    const versioned = [names.generation, ...tags.map(names.tag)]
    const fresh = unique()
    const found = new Map<string, string>()
    await Promise.all(
      parts([...versioned, entry]).map(async (part) => {
        const hasEntry = part.at(-1) === entry ? 1 : 0
        const args = [hasEntry, fresh, versionTtlMs, placeholderTtlMs]
        const versions = (await session.send(() => leaseScript.run(client, part, args))) as readonly string[]
        for (const [index, name] of part.entries()) found.set(name, versions[index] ?? '')
      }),
    )
    const token = found.get(entry) ?? ''
    const versions = versioned.map((name) => found.get(name) ?? '')
    // Redis has just been replaced: for a while nothing in it counts.
    if (versions[0]?.startsWith('!')) return undefined
    return { id: `${token};${versions.join()}`, key, token, names: versioned, versions }
  }

  async function store(
    { key, token, names: versioned, versions }: RedisLease,
    entry: CacheEntry,
  ): Promise<boolean> {
    const { value, storedAt, freshUntil, usableUntil } = entry
    const ttlMs = Math.ceil(usableUntil - clock.now())
    if (ttlMs <= 0) return false
    const packed = await compress(codec.encode(value), compression)
    const format = { codec: codec.id, compression: packed.mark, versions: versions.join() }
    const head = headOf(token, { storedAt, freshUntil, usableUntil, ...format })
    const record = Buffer.concat([Buffer.from(head, 'latin1'), packed.bytes])
    const name = names.entry(key)
    // Versions in other slots can't be compared in the same step; reading compares them all.
    const beside = versioned.flatMap((each, index) =>
      client.isCluster && slotOf(each) !== slotOf(name) ? [] : [[each, versions[index] ?? ''] as const],
    )
    const keys = [...beside.map(([each]) => each), name]
    const args = [record, ttlMs, ...beside.map(([, version]) => version), token]
    if ((await session.send(() => writeScript.run(client, keys, args))) !== 1) return false
    return beside.length === versioned.length || isCurrent(versioned, versions)
  }

  async function isCurrent(versioned: readonly string[], versions: readonly string[]): Promise<boolean> {
    const found = await session.send(() => getAll(versioned))
    return versions.every((version, index) => found[index]?.toString('latin1') === version)
  }

  async function apply({ tags = [], keys = [], patterns = [], everything }: Invalidation): Promise<void> {
    const doomed = [...tags.map(names.tag), ...keys.map(names.entry), ...(everything ? voidKeys : [])]
    const work: Promise<unknown>[] = doomed.length > 0 ? parts(doomed).map((part) => client.del(...part)) : []
    if (patterns.length > 0 && !everything)
      work.push(patternScript.run(client, voidKeys, [maxRules, ...patterns]))
    await Promise.all(work)
  }

  /** What goes wrong here is no concern of the caller: it is reported, and counts as a miss. */
  function guarded<T>(during: CacheFailure['during'], work: () => Promise<T>): Promise<T | undefined> {
    const failed = (error: unknown): undefined => report({ during, error }) as undefined
    if (session.isTrusted()) return work().catch(failed)
    return session.isOpening() ? session.opening.then(() => guarded(during, work)) : nothing
  }

  /** Tries until the lock ends by itself: others wait for it, and Redis may be back at any moment. */
  async function releaseLock(lock: {
    readonly name: string
    readonly token: string
    readonly untilMs: number
  }): Promise<void> {
    try {
      await session.send(() => releaseScript.run(client, [lock.name], [lock.token]))
    } catch (error) {
      if (performance.now() >= lock.untilMs) report({ during: 'lock', error })
      else setTimeout(() => void releaseLock(lock), releaseAgainMs).unref()
    }
  }

  return {
    name: 'redis',
    read: (key, tags) => guarded('read', () => find(key, tags)),
    lease: (key, tags) => guarded('lease', () => takeLease(key, tags)),
    write: async (lease, entry) => (await guarded('write', () => store(lease as RedisLease, entry))) ?? false,
    invalidate: (what) => session.invalidate(what),
    async lock(key, { ttlMs }) {
      const name = names.lock(key)
      const token = unique()
      const taken = await session.send(() => client.set(name, token, 'PX', ttlMs, 'NX'))
      if (taken === null) return undefined
      return {
        release: () => releaseLock({ name, token, untilMs: performance.now() + ttlMs }),
      }
    },
    isHealthy: () => session.isHealthy(),
    onFailure: (listener) => void listeners.push(listener),
    close: async () => session.close(),
  }
}

const nothing: Promise<undefined> = Promise.resolve(undefined)

function entryOf({ storedAt, freshUntil, usableUntil }: RecordHead, value: unknown): CacheEntry {
  return { value, storedAt, freshUntil, usableUntil, level: 'l2' }
}
