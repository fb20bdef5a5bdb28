import { ExponentialBackoff, type IBackoff } from 'cockatiel'
import type { BackoffOptions } from './options.ts'

/** The waits of one piece of work, in order; each call is the next one. */
export type Backoff = () => number

/**
 * Exponential backoff with the decorrelated jitter of Polly: as long as the cap is not reached, the sum of the
 * waits grows exponentially and only its place within each step is random, so that even unlucky attempts
 * can't all happen at once.
 */
export function createBackoff({ initialMs, maxMs, factor }: Required<BackoffOptions>): Backoff {
  let step: IBackoff<unknown> | undefined
  return () => {
    step = step
      ? step.next(undefined)
      : new ExponentialBackoff({ initialDelay: initialMs, maxDelay: maxMs, exponent: factor }).next()
    return Math.min(maxMs, Math.ceil(step.duration))
  }
}
