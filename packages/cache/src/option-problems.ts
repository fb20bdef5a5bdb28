import { knownAlgorithms } from './compression.ts'
import type { RedisDriverOptions } from './drivers/redis.ts'
import type { RedisLike } from './drivers/redis-like.ts'
import { CacheOptionsError, type OptionProblem } from './errors.ts'

/** Throws when there are problems, naming them all. @throws CacheOptionsError */
export function checked(problems: readonly OptionProblem[]): void {
  if (problems.length > 0) throw new CacheOptionsError(problems)
}

/** Says which of the fields are no durations. */
export function durationProblems(
  fields: Readonly<Record<string, unknown>>,
  { path = '', minMs = 0 }: { readonly path?: string; readonly minMs?: number } = {},
): readonly OptionProblem[] {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined && !(Number.isFinite(value) && (value as number) >= minMs))
    .map(([field]) => ({
      field: path + field,
      problem: `must be a number of milliseconds, at least ${minMs}`,
    }))
}

/** Says which of the fields have names that nobody knows. */
export function unknownFields(value: object, known: readonly string[], path = ''): readonly OptionProblem[] {
  return Object.keys(value)
    .filter((field) => !known.includes(field))
    .map((field) => ({ field: path + field, problem: `is no option; known are ${known.join(', ')}` }))
}

const redisFields = [
  'prefix',
  'codec',
  'compression',
  'commandTimeoutMs',
  'trustMs',
  'settleMs',
  'breaker',
  'clock',
] as const

export function problemsOfRedis(client: RedisLike, options: RedisDriverOptions): readonly OptionProblem[] {
  const { commandTimeoutMs, trustMs, settleMs, breaker, compression } = options
  const problems = [
    ...unknownFields(options, redisFields),
    ...durationProblems({ commandTimeoutMs, trustMs }, { minMs: 1 }),
    ...durationProblems({ settleMs }, { minMs: 1 }),
    ...durationProblems({ cooldownMs: breaker?.cooldownMs }, { path: 'breaker.' }),
  ]
  if (typeof client?.mgetBuffer !== 'function') {
    problems.push({ field: 'client', problem: 'must be a client of ioredis: Redis or Cluster' })
  }
  if (options.prefix !== undefined && !/^[\w-]+$/.test(options.prefix)) {
    problems.push({ field: 'prefix', problem: 'must consist of letters, digits, - and _' })
  }
  if (breaker?.failures !== undefined && !(Number.isInteger(breaker.failures) && breaker.failures > 0)) {
    problems.push({ field: 'breaker.failures', problem: 'must be a whole number above 0' })
  }
  if (compression && !knownAlgorithms.includes(compression.algorithm)) {
    const problem = `must be one of ${knownAlgorithms.join(', ')} on this Node.js`
    problems.push({ field: 'compression.algorithm', problem })
  }
  return problems
}
