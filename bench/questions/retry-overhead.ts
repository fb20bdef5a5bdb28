import type { Operation } from '@org/db-core'
import { retry, retrying } from '@org/db-retry'
import {
  bulkhead,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry as retryPolicy,
  wrap,
} from 'cockatiel'
import { versionsOf } from '../src/environment.ts'
import type { OperationVariant, Question, Stage } from '../src/question.ts'

/** One operation of the runner is so many calls, so that the runner's own cost does not count. */
const calls = 500

const work = async (): Promise<number> => 42

type Call = () => Promise<unknown>

export const question: Question = {
  title: `Client CPU of ${calls} calls of a function that succeeds at once: what a retry around it costs.`,
  metric: 'client-cpu',
  baseline: 'cockatiel',
  plan: { rounds: 200, seconds: 0.05, concurrency: [1], warmUpSeconds: 1 },
  async setup(): Promise<Stage> {
    const contestants = [...policies(), ...guardedPolicies()]
    const variants = contestants.map(
      ([name, detail, call]): OperationVariant => ({
        name,
        detail,
        async operation() {
          for (let number = 0; number < calls; number += 1) await call()
        },
      }),
    )
    for (const [name, , call] of contestants) {
      const result = await call()
      if (result !== 42) throw new Error(`${name} returns ${String(result)}`)
    }
    return {
      variants,
      environment: versionsOf(['cockatiel']),
      notes: [
        'Each retry allows six attempts with exponential backoff; ours also counts calls for its budget.',
      ],
      close: async () => undefined,
    }
  },
}

type Policy = readonly [name: string, detail: string, call: Call]

function policies(): readonly Policy[] {
  const peer = retryPolicy(handleAll, { maxAttempts: 5, backoff: new ExponentialBackoff() })
  const own = retry()
  const wrapped = retrying(work, { by: retry() })
  const interceptor = retry()
  const operation: Operation = {
    layer: 'client',
    model: 'Film',
    action: 'findUnique',
    kind: 'read',
    args: {},
    context: {},
    inTransaction: false,
  }
  return [
    ['cockatiel', '`retry(handleAll, …).execute(fn)`', () => peer.execute(work)],
    ['control', 'the very same call under a second name', () => peer.execute(work)],
    [
      'ours-interceptor',
      '`retry()` around a read of a database object',
      () => interceptor.intercept(operation, work),
    ],
    ['ours-run', '`retry().run(fn)`', () => own.run(work)],
    ['ours-retrying', '`retrying(fn)`', () => wrapped()],
    ['bare', 'the function alone', work],
  ]
}

function guardedPolicies(): readonly Policy[] {
  const peer = wrap(
    retryPolicy(handleAll, { maxAttempts: 5, backoff: new ExponentialBackoff() }),
    bulkhead(10, 100),
    circuitBreaker(handleAll, { halfOpenAfter: 1_000, breaker: new ConsecutiveBreaker(10) }),
  )
  const own = retry({ breaker: true, bulkhead: { limit: 10, queue: 100 } })
  return [
    ['cockatiel-guarded', '`wrap(retry, bulkhead, circuitBreaker)`', () => peer.execute(work)],
    ['ours-guarded', '`retry({ breaker, bulkhead }).run(fn)`', () => own.run(work)],
  ]
}
