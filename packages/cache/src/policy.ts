import type { OptionProblem } from './errors.ts'
import { durationProblems, unknownFields } from './option-problems.ts'

/** How long values live and what happens at the end of their life. Times in milliseconds. */
export interface CachePolicy {
  /** How long a value is as good as the source; a function decides by the value. 0 does not store it. */
  readonly ttlMs: number | ((value: unknown) => number)
  /** How long `null` lives, where a row was not found; 0 does not store it. Default: as `ttlMs`. */
  readonly negativeTtlMs?: number
  /** How long after its life a value is still served, while one caller refreshes it. Default `0`. */
  readonly staleMs?: number
  /** How long after its life a value is served when the database is down. Default `0`. */
  readonly graceMs?: number
  /** A read this shortly before the end of a value's life refreshes it in the background. Default `0`: never. */
  readonly refreshAheadMs?: number
  /** Shortens each life by a random part, at most this one, so that not all end at once. Default `0.1`. */
  readonly jitter?: number
  /** After so long a caller gets the old value if there is one in grace, and the loading goes on. Default: none. */
  readonly softTimeoutMs?: number
  /** After so long a caller gets DB_CACHE_LOADER_TIMEOUT, and the loading goes on. Default: none. */
  readonly hardTimeoutMs?: number
  /**
   * How long one process may load a value while the others wait for it, where the driver has locks; after that
   * they load it themselves. 0 lets each process load. Default `2000`.
   */
  readonly lockMs?: number
}

const durations = [
  'negativeTtlMs',
  'staleMs',
  'graceMs',
  'refreshAheadMs',
  'softTimeoutMs',
  'hardTimeoutMs',
  'lockMs',
] as const

/** The names of a policy's fields. */
export const policyFields: readonly string[] = ['ttlMs', 'jitter', ...durations]

/** Every wrong field of a policy. */
export function problemsOfPolicy(policy: CachePolicy, path: string): readonly OptionProblem[] {
  if (typeof policy !== 'object' || policy === null) {
    return [{ field: path.replace(/\.$/, ''), problem: 'must be an object with `ttlMs`' }]
  }
  const problems = [...unknownFields(policy, policyFields, path)]
  if (typeof policy.ttlMs !== 'function') {
    if (policy.ttlMs === undefined) problems.push({ field: `${path}ttlMs`, problem: 'is required' })
    else problems.push(...durationProblems({ ttlMs: policy.ttlMs }, { path }))
  }
  problems.push(
    ...durationProblems(Object.fromEntries(durations.map((name) => [name, policy[name]])), { path }),
  )
  const { jitter } = policy
  if (jitter !== undefined && !(jitter >= 0 && jitter < 1)) {
    problems.push({ field: `${path}jitter`, problem: 'must be a number from 0 to below 1' })
  }
  return problems
}

/** When a value that was read at `storedAt` ages; `undefined` if it is not to be stored. */
export function timesOf(
  policy: CachePolicy,
  { value, storedAt }: { readonly value: unknown; readonly storedAt: number },
): { readonly freshUntil: number; readonly usableUntil: number } | undefined {
  const negative = value === null || value === undefined ? policy.negativeTtlMs : undefined
  const ttlMs = negative ?? (typeof policy.ttlMs === 'function' ? policy.ttlMs(value) : policy.ttlMs)
  if (!(ttlMs > 0)) return undefined
  const freshUntil = storedAt + ttlMs * (1 - Math.random() * (policy.jitter ?? 0.1))
  return { freshUntil, usableUntil: freshUntil + Math.max(policy.staleMs ?? 0, policy.graceMs ?? 0) }
}
