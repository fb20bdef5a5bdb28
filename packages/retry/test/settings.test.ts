import { isDbError } from '@org/db-core'
import { describe, expect, it } from 'vitest'
import { RetryConfigError, type RetryOptions, retry, retrying, withRetry } from '../src/index.ts'

function problems(options: unknown): unknown {
  try {
    retry(options as RetryOptions)
  } catch (error) {
    expect(error).toBeInstanceOf(RetryConfigError)
    expect(isDbError(error, 'DB_RETRY_CONFIG')).toBe(true)
    return (error as RetryConfigError).problems.map(({ field }) => field).sort()
  }
  return 'none'
}

describe('retry', () => {
  it('names every wrong option at once', () => {
    const options = {
      attempts: 0,
      backoff: { initialMs: 100, maxMs: 10 },
      maxElapsedMs: -1,
      budget: { burst: 0, size: 3 },
      breaker: { failures: 1.5 },
      bulkhead: {},
      settle: 'yes',
      clock: {},
      retries: 3,
    }
    expect(problems(options)).toEqual([
      'attempts',
      'backoff.maxMs',
      'breaker.failures',
      'budget.burst',
      'budget.size',
      'bulkhead.limit',
      'clock',
      'maxElapsedMs',
      'retries',
      'settle',
    ])
  })

  it('says what is wrong with each', () => {
    expect(() => retry({ attempts: 0, backoff: { initialMs: 5, maxMs: 1 } })).toThrow(
      /attempts: must be at least 1[\s\S]*backoff\.maxMs: must not be below initialMs/,
    )
  })

  it.each([
    {},
    { attempts: 1 },
    { budget: false, breaker: false, bulkhead: false },
    { breaker: true, bulkhead: { limit: 1 } },
    { breaker: {}, budget: {}, backoff: {} },
  ] as const)('takes %j', (options) => {
    expect(problems(options)).toBe('none')
  })

  it('is as strict in its other forms', () => {
    expect(() => retrying(async () => 1, { attempts: -1 })).toThrow(RetryConfigError)
    const repository = {
      with() {
        return this
      },
    }
    expect(() => withRetry(repository, { attempts: -1 })).toThrow(RetryConfigError)
    const policy = retry()
    const wrong = (options: object) => () => withRetry(repository, options as never)
    expect(wrong({ methods: ['restok'] })).toThrow(/methods: .*restok is none/)
    expect(wrong({ methods: 'with' })).toThrow(RetryConfigError)
    expect(wrong({ by: {} })).toThrow(/by: must be what retry\(\) returns/)
    expect(wrong({ by: undefined })).toThrow(RetryConfigError)
    expect(wrong({ by: policy, attempts: 2 })).toThrow(/attempts: must not stand beside by/)
    expect(() => policy.run(async () => 1, { idempotnt: true } as never)).toThrow(/idempotnt: is no option/)
    expect(() => retrying(5 as never)).toThrow(RetryConfigError)
  })
})
