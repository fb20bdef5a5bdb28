export type { Circuit } from './breaker.ts'
export { RetryConfigError, RetryError, type RetryErrorCode, type RetryProblem } from './errors.ts'
export type { FailureEvent, RetryEvents } from './events.ts'
export type { RetryMetrics } from './metrics.ts'
export type {
  BackoffOptions,
  BreakerOptions,
  BudgetOptions,
  BulkheadOptions,
  Failure,
  GivenUp,
  GiveUpReason,
  RetryOptions,
  Settlement,
} from './options.ts'
export { type By, type Retry, retry } from './retry.ts'
export { type RetryingOptions, retrying } from './retrying.ts'
export type { RunOptions } from './run-options.ts'
export { type Interceptable, type MethodName, type RepositoryRetryOptions, withRetry } from './with-retry.ts'
