import { type Clock, systemClock } from '@org/db-core'
import { z } from 'zod'
import { RetryConfigError, type RetryProblem } from './errors.ts'
import type {
  BackoffOptions,
  BreakerOptions,
  BudgetOptions,
  BulkheadOptions,
  RetryOptions,
} from './options.ts'
import type { RunOptions } from './run-options.ts'

const maxMs = 2_147_483_647
const number = (min: number, max = Number.MAX_VALUE) =>
  z
    .number({ error: 'must be a number' })
    .min(min, { error: `must be at least ${min}` })
    .max(max, { error: `must be at most ${max}` })
const whole = (min: number, max?: number) => number(min, max).int({ error: 'must be a whole number' })
const milliseconds = number(0, maxMs)
const positive = z
  .number({ error: 'must be a number' })
  .positive({ error: 'must be more than 0' })
  .max(maxMs, { error: `must be at most ${maxMs}` })
const callback = <T>() => z.custom<T>((value) => typeof value === 'function', { error: 'must be a function' })

const backoffSchema = z
  .strictObject({
    initialMs: milliseconds.default(50),
    maxMs: milliseconds.default(2_000),
    factor: number(1.5, 100).default(2),
  })
  .refine(({ initialMs, maxMs }) => initialMs <= maxMs, {
    path: ['maxMs'],
    error: 'must not be below initialMs',
  })

const budgetSchema = z.strictObject({
  ratio: number(0, 100).default(0.1),
  minPerSecond: number(0).default(10),
  burst: number(1).default(100),
})

const breakerSchema = z.strictObject({
  failures: whole(1).default(10),
  openMs: positive.default(1_000),
})

const bulkheadSchema = z.strictObject({
  limit: whole(1),
  queue: whole(0).default(0),
})

const schema = z.strictObject({
  attempts: whole(1, 10_000).default(6),
  backoff: backoffSchema.prefault({}),
  maxElapsedMs: positive.default(30_000),
  attemptTimeoutMs: positive.optional(),
  budget: z.union([z.literal(false), budgetSchema]).prefault({}),
  breaker: z.union([z.boolean(), breakerSchema]).default(false),
  bulkhead: z.union([z.literal(false), bulkheadSchema]).default(false),
  settle: callback<NonNullable<RetryOptions['settle']>>().optional(),
  retryIf: callback<NonNullable<RetryOptions['retryIf']>>().optional(),
  fallback: callback<NonNullable<RetryOptions['fallback']>>().optional(),
  clock: z
    .custom<Clock>(isClock, { error: 'must have the methods now and sleep' })
    .default(() => systemClock),
})

/** Checked options with all defaults filled in. */
export interface Settings
  extends Required<Pick<RetryOptions, 'attempts' | 'maxElapsedMs' | 'clock'>>,
    Pick<RetryOptions, 'settle' | 'retryIf' | 'fallback'> {
  readonly backoff: Required<BackoffOptions>
  readonly attemptTimeoutMs?: number | undefined
  readonly budget: Required<BudgetOptions> | false
  readonly breaker: Required<BreakerOptions> | false
  readonly bulkhead: Required<BulkheadOptions> | false
}

/** Checks the options. @throws RetryConfigError naming every wrong one */
export function parseOptions(options: RetryOptions): Settings {
  const parsed = schema.safeParse(options)
  if (!parsed.success) throw new RetryConfigError(parsed.error.issues.flatMap(problemsOf))
  const { breaker, ...rest } = parsed.data
  return { ...rest, breaker: breaker === true ? breakerSchema.parse({}) : breaker } as Settings
}

/** Checks the options of one piece of work. @throws RetryConfigError naming every wrong one */
export function parseRunOptions(options: RunOptions): RunOptions {
  const problems: RetryProblem[] = []
  for (const [field, value] of Object.entries(options)) {
    const expected = runOptions[field]
    if (expected === undefined) problems.push({ field, problem: 'is no option' })
    else if (value !== undefined && typeof value !== expected)
      problems.push({ field, problem: `must be a ${expected}` })
  }
  if (problems.length > 0) throw new RetryConfigError(problems)
  return options
}

/** By hand, because a schema costs more than a call. */
const runOptions: Readonly<Record<string, string>> = { name: 'string', idempotent: 'boolean' }

type Issue = z.core.$ZodIssue

function problemsOf(issue: Issue): readonly { field: string; problem: string }[] {
  const field = issue.path.join('.') || 'options'
  if (issue.code === 'unrecognized_keys') {
    const prefix = issue.path.length > 0 ? `${issue.path.join('.')}.` : ''
    return issue.keys.map((key) => ({ field: prefix + key, problem: 'is no option' }))
  }
  // Of a choice, the branch for an object says which of its fields is wrong; the others only that it is none.
  if (issue.code === 'invalid_union') {
    const branch = issue.errors.find((issues) =>
      issues.some(({ path, code }) => path.length > 0 || code === 'unrecognized_keys'),
    )
    if (branch)
      return branch.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }))
  }
  return [{ field, problem: issue.message }]
}

function isClock(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof Reflect.get(value, 'now') === 'function' &&
    typeof Reflect.get(value, 'sleep') === 'function'
  )
}
