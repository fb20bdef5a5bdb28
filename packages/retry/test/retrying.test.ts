import { currentContext, DatabaseError, runInContext } from '@org/db-core'
import { controllableClock } from '@org/db-testing'
import { describe, expect, it } from 'vitest'
import { type RetryEvents, type RetryOptions, retry, retrying } from '../src/index.ts'
import { alwaysFailing, codeOf, failing, failure } from './support/failures.ts'

const atOnce: RetryOptions = { backoff: { initialMs: 0, maxMs: 0 } }

describe('retrying', () => {
  it('keeps the object that a method is called on', async () => {
    const counter = {
      value: 7,
      read: retrying(async function (this: { value: number }) {
        return this.value
      }),
    }
    expect(await counter.read()).toBe(7)
  })

  it('hands arguments through and returns what the function returns', async () => {
    const add = retrying(async (a: number, b: number) => a + b)
    expect(await add(2, 3)).toBe(5)
  })

  it('repeats what can be repeated until it succeeds', async () => {
    const work = failing(failure('DB_DEADLOCK'), failure('DB_UNREACHABLE', { outcome: 'not-sent' }))
    expect(await retrying(work, atOnce)()).toBe('done')
    expect(work.runs).toBe(3)
  })

  it('throws the last error, unchanged, when attempts are used up', async () => {
    const last = failure('DB_SERIALIZATION')
    const work = failing(failure(), failure(), last)
    await expect(retrying(work, { ...atOnce, attempts: 3 })()).rejects.toBe(last)
    expect(work.runs).toBe(3)
  })

  it.each([
    ['an answer', failure('DB_UNIQUE_VIOLATION', { retryable: false })],
    ['an error of the caller', new TypeError('mine')],
    ['something that is no error', 'text'],
    ['an unknown outcome', failure('DB_AMBIGUOUS_COMMIT', { retryable: false, outcome: 'unknown' })],
  ])('does not repeat %s', async (_name, error) => {
    const work = failing(error)
    await expect(retrying(work, atOnce)()).rejects.toBe(error)
    expect(work.runs).toBe(1)
  })

  it.each([
    ['a raw deadlock of plain Prisma', prismaError('P2010', { originalCode: '40P01' })],
    ['a write conflict of plain Prisma', prismaError('P2034', { kind: 'TransactionWriteConflict' })],
    [
      'a serialization failure at COMMIT',
      driverError({ kind: 'TransactionWriteConflict', originalCode: '40001' }),
    ],
    ['a full pooler', prismaError('P2010', { originalCode: '08P01', originalMessage: 'query_wait_timeout' })],
    ['an exhausted pool', new Error('timeout exceeded when trying to connect')],
    ['a refused connection', Object.assign(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect' })],
    ['an error around one of these', new Error('mine', { cause: failure('DB_DEADLOCK') })],
  ])('understands %s', async (_name, error) => {
    const work = failing(error)
    expect(await retrying(work, atOnce)()).toBe('done')
  })

  it('repeats a lost connection only if the work may be done twice', async () => {
    const lost = () => new Error('Connection terminated unexpectedly')
    const once = failing(lost())
    expect(await codeOf(retrying(once, atOnce)())).toBeInstanceOf(Error)
    expect(once.runs).toBe(1)
    expect(await retrying(failing(lost()), { ...atOnce, idempotent: true })()).toBe('done')
  })

  it('lets retryIf widen and narrow, but never repeat an unknown outcome', async () => {
    const widened = failing(new TypeError('mine'))
    expect(await retrying(widened, { ...atOnce, retryIf: (error) => error instanceof TypeError })()).toBe(
      'done',
    )
    expect(await codeOf(retrying(failing(failure()), { ...atOnce, retryIf: () => false })())).toBe(
      'DB_DEADLOCK',
    )
    const unknown = failing(failure('DB_CONNECTION_LOST', { retryable: false, outcome: 'unknown' }))
    expect(await codeOf(retrying(unknown, { ...atOnce, retryIf: () => true })())).toBe('DB_CONNECTION_LOST')
  })

  it('resolves with the fallback after giving up, but not for an answer', async () => {
    const options = { ...atOnce, attempts: 2, fallback: ({ reason }: { reason: string }) => reason }
    expect(await retrying(alwaysFailing('DB_UNREACHABLE'), options)()).toBe('attempts')
    const answer = failing(failure('DB_NOT_FOUND', { retryable: false }))
    expect(await codeOf(retrying(answer, options)())).toBe('DB_NOT_FOUND')
  })
})

describe('limits', () => {
  it('ends a wait when the signal aborts, and does not call the function again', async () => {
    const clock = controllableClock()
    const work = alwaysFailing()
    const controller = new AbortController()
    const call = runInContext({ signal: controller.signal }, () => retrying(work, { clock })())
    const answer = call.catch((error: unknown) => error)
    await clock.untilSleeping()
    const reason = new Error('the client has left')
    controller.abort(reason)
    expect(await answer).toMatchObject({ code: 'DB_CANCELLED', cause: reason, outcome: 'rolled-back' })
    await clock.advance(60_000)
    expect(work.runs).toBe(1)
  })

  it('begins no work whose signal has been aborted', async () => {
    const work = failing()
    const signal = AbortSignal.abort(new Error('the client has left'))
    const answer = runInContext({ signal }, () => retrying(work)())
    await expect(answer).rejects.toMatchObject({ code: 'DB_CANCELLED', outcome: 'not-sent' })
    expect(work.runs).toBe(0)
  })

  it('does not wait beyond the deadline of the context', async () => {
    const clock = controllableClock()
    const policy = retry({ clock, attempts: 100, backoff: { initialMs: 100, maxMs: 100 } })
    const work = alwaysFailing()
    const answer = codeOf(runInContext({ deadlineAt: clock.now() + 1_000 }, () => policy.run(work)))
    for (let step = 0; step < 30; step += 1) await clock.advance(50)
    expect(await answer).toBe('DB_DEADLOCK')
    expect(policy.metrics().gaveUp.deadline).toBe(1)
    expect(work.runs).toBeGreaterThan(2)
    expect(work.runs).toBeLessThan(100)
  })

  it('begins no attempt after maxElapsedMs', async () => {
    const clock = controllableClock()
    const policy = retry({ clock, attempts: 1_000, maxElapsedMs: 500, backoff: { initialMs: 50, maxMs: 50 } })
    const began: number[] = []
    const start = clock.now()
    const answer = codeOf(
      policy.run(async () => {
        began.push(clock.now() - start)
        throw failure()
      }),
    )
    for (let step = 0; step < 40; step += 1) await clock.advance(25)
    expect(await answer).toBe('DB_DEADLOCK')
    expect(Math.max(...began)).toBeLessThanOrEqual(500)
    expect(policy.metrics().gaveUp.elapsed).toBe(1)
  })

  it('repeats an attempt that ran into its time limit and told its end', async () => {
    const clock = controllableClock()
    let runs = 0
    const work = async () => {
      runs += 1
      const { signal } = currentContext()
      if (runs === 1) {
        await clock.sleep(60_000, signal).catch(() => {
          throw new DatabaseError('DB_CANCELLED', 'cancelled on the server', { outcome: 'rolled-back' })
        })
      }
      return 'done'
    }
    const call = retrying(work, { ...atOnce, clock, attemptTimeoutMs: 1_000 })()
    await clock.untilSleeping(2)
    await clock.advance(1_000)
    expect(await call).toBe('done')
    expect(runs).toBe(2)
  })

  it('leaves an attempt behind that does not end, and does not repeat it: its outcome is unknown', async () => {
    const clock = controllableClock()
    let runs = 0
    const stuck = () => {
      runs += 1
      return new Promise<never>(() => undefined)
    }
    const answer = retrying(stuck, { clock, attemptTimeoutMs: 1_000 })().catch((error: unknown) => error)
    await clock.untilSleeping()
    await clock.advance(1_500)
    expect(await answer).toMatchObject({ code: 'DB_TIMEOUT', outcome: 'unknown', retryable: false })
    expect(runs).toBe(1)
  })
})

describe('settle', () => {
  const unknown = () => failure('DB_AMBIGUOUS_COMMIT', { retryable: false, outcome: 'unknown' })

  it('is asked about an unknown outcome, and a sure rollback is repeated', async () => {
    const asked: unknown[] = []
    const work = failing(unknown())
    const settle: RetryOptions['settle'] = ({ subject, attempt, dbError }) => {
      asked.push([subject, attempt, dbError?.code])
      return 'rolled-back'
    }
    expect(await retrying(work, { ...atOnce, settle, name: 'transfer' })()).toBe('done')
    expect(asked).toEqual([['transfer', 1, 'DB_AMBIGUOUS_COMMIT']])
  })

  it('ends the call with the value of what was committed, without another attempt', async () => {
    const work = failing(unknown())
    expect(await retrying(work, { settle: async () => ({ committed: 7 }) })()).toBe(7)
    expect(await retrying(failing(unknown()), { settle: () => 'committed' })()).toBe(undefined)
    expect(work.runs).toBe(1)
  })

  it.each([null, 'commited', 5, {}])('counts as unsure when it says %j', async (said) => {
    const work = failing(failure('DB_AMBIGUOUS_COMMIT', { retryable: false, outcome: 'unknown' }))
    const call = retrying(work, { ...atOnce, settle: () => said as never })
    await expect(call()).rejects.toMatchObject({ code: 'DB_AMBIGUOUS_COMMIT' })
    expect(work.runs).toBe(1)
  })

  it('surfaces the error when nobody knows, or when it fails itself', async () => {
    const settles: RetryOptions['settle'][] = [
      () => 'unknown',
      () => Promise.reject(new Error('down')),
      undefined,
    ]
    for (const settle of settles) {
      const work = failing(unknown())
      const policy = retry({ ...atOnce, ...(settle && { settle }) })
      expect(await codeOf(policy.run(work))).toBe('DB_AMBIGUOUS_COMMIT')
      expect(work.runs).toBe(1)
      expect(policy.metrics().gaveUp['unknown-outcome']).toBe(1)
    }
  })
})

describe('events and metrics', () => {
  it('tell each retry with its code, SQLSTATE and wait, and how it ended', async () => {
    const policy = retry({ ...atOnce, attempts: 3 })
    const seen: unknown[] = []
    for (const name of ['retry.scheduled', 'retry.recovered', 'retry.gave-up'] as const) {
      policy.events.on(name, (event: RetryEvents[typeof name]) => seen.push([name, event]))
    }
    const deadlock = new DatabaseError('DB_DEADLOCK', 'x', { retryable: true, sqlState: '40P01' })
    await policy.run(failing(deadlock), { name: 'pay' })
    await codeOf(policy.run(alwaysFailing('DB_SERIALIZATION'), { name: 'pay' }))
    const known = { subject: 'pay', delayMs: 0 }
    expect(seen).toEqual([
      ['retry.scheduled', { ...known, attempt: 1, code: 'DB_DEADLOCK', sqlState: '40P01' }],
      ['retry.recovered', { subject: 'pay', attempts: 2, elapsedMs: expect.any(Number) }],
      ['retry.scheduled', { ...known, attempt: 1, code: 'DB_SERIALIZATION' }],
      ['retry.scheduled', { ...known, attempt: 2, code: 'DB_SERIALIZATION' }],
      [
        'retry.gave-up',
        {
          subject: 'pay',
          attempt: 3,
          code: 'DB_SERIALIZATION',
          reason: 'attempts',
          elapsedMs: expect.any(Number),
        },
      ],
    ])
    expect(policy.metrics()).toMatchObject({
      calls: 2,
      retries: 3,
      recovered: 1,
      gaveUp: { attempts: 1, budget: 0 },
      failures: [
        { code: 'DB_DEADLOCK', sqlState: '40P01', count: 1 },
        { code: 'DB_SERIALIZATION', count: 3 },
      ],
    })
  })
})

describe('nested levels', () => {
  it('try as often as the outermost one says, not as often as all of them multiplied', async () => {
    const inner = retry({ ...atOnce, attempts: 3 })
    const middle = retry({ ...atOnce, attempts: 4 })
    const work = alwaysFailing()
    const outer = retrying(() => middle.run(() => inner.run(work)), { ...atOnce, attempts: 5 })
    expect(await codeOf(outer())).toBe('DB_DEADLOCK')
    expect(work.runs).toBe(5)
  })

  it('repeat the innermost work alone, not what was done before it', async () => {
    const inner = retry(atOnce)
    let before = 0
    const work = failing(failure(), failure())
    const outer = retrying(() => {
      before += 1
      return inner.run(work)
    }, atOnce)
    expect(await outer()).toBe('done')
    expect([before, work.runs]).toEqual([1, 3])
  })

  it('try an error again that other work has given up on', async () => {
    const error = failure()
    const once = retrying(failing(error, error, error), { ...atOnce, attempts: 2 })
    await expect(once()).rejects.toBe(error)
    const other = failing(error)
    expect(await retrying(other, atOnce)()).toBe('done')
  })

  it('do not try again what a level further in has given up on, even inside of another error', async () => {
    const inner = retry({ ...atOnce, attempts: 2 })
    const work = alwaysFailing()
    const outer = retrying(
      async () => {
        try {
          return await inner.run(work)
        } catch (error) {
          throw new Error('mine', { cause: error })
        }
      },
      { ...atOnce, attempts: 2 },
    )
    await expect(outer()).rejects.toThrow('mine')
    expect(work.runs).toBe(2)
  })
})

function driverError(cause: object): Error {
  return Object.assign(new Error('TransactionWriteConflict', { cause }), { name: 'DriverAdapterError' })
}

function prismaError(code: string, cause: object): Error {
  const meta = { driverAdapterError: { cause } }
  return Object.assign(new Error('prisma'), { name: 'PrismaClientKnownRequestError', code, meta })
}
