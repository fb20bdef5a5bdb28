import type { OptionProblem } from './errors.ts'
import { type Check, duration, type Fields, problemsOf, required } from './option-problems.ts'

/** How long values live and what happens at the end of their life. Times in milliseconds. */
export interface CachePolicy<T = unknown> {
  /** How long a value is as good as the source; a function decides by the value. 0 does not store it. */
  readonly ttlMs: number | ((value: T) => number)
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

const lifetime: Check = (value, path) => (typeof value === 'function' ? undefined : duration()(value, path))

/** The fields of a policy, none of them required. */
export const partialPolicyFields: Fields = {
  ttlMs: lifetime,
  negativeTtlMs: duration(),
  staleMs: duration(),
  graceMs: duration(),
  refreshAheadMs: duration(),
  softTimeoutMs: duration(),
  hardTimeoutMs: duration(),
  lockMs: duration(),
  jitter: (value) =>
    typeof value === 'number' && value >= 0 && value < 1 ? undefined : 'must be a number from 0 to below 1',
}

/** Every wrong field of a policy. */
export function problemsOfPolicy(
  policy: unknown,
  { path = '', further = {} }: { readonly path?: string; readonly further?: Fields } = {},
): readonly OptionProblem[] {
  const problems = problemsOf(policy, { ...partialPolicyFields, ttlMs: required(lifetime), ...further }, path)
  return [...problems, ...problemsTogether(policy, path)]
}

/** Fields that mean nothing without another one. */
function problemsTogether(policy: unknown, path: string): readonly OptionProblem[] {
  const { softTimeoutMs, graceMs } = (policy ?? {}) as Partial<CachePolicy>
  if (softTimeoutMs === undefined || (graceMs !== undefined && graceMs > 0)) return []
  const field = path === '' ? 'softTimeoutMs' : `${path}.softTimeoutMs`
  return [{ field, problem: 'needs `graceMs`: it is the old value in grace that is served then' }]
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
