import type { Clock } from '@org/db-core'
import { CircuitState, ConsecutiveBreaker, circuitBreaker, handleWhen } from 'cockatiel'
import { RetryError } from './errors.ts'
import { isConnectionFailure } from './failure-reading.ts'
import type { BreakerOptions } from './options.ts'

/** Whether attempts are let through; in `half-open` one of them has been, to try. */
export type Circuit = 'closed' | 'open' | 'half-open'

/** What stands before the server while it can't be reached. */
export interface Breaker {
  /** Runs `work`, or refuses it. @throws RetryError DB_RETRY_CIRCUIT_OPEN */
  pass<T>(work: () => Promise<T>): Promise<T>
  readonly circuit: Circuit
}

const circuits: Readonly<Record<CircuitState, Circuit>> = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.Open]: 'open',
  [CircuitState.HalfOpen]: 'half-open',
  [CircuitState.Isolated]: 'open',
}

/** cockatiel's breaker on our clock. While one attempt tries, it would let the others wait; here they fail fast. */
export function createBreaker(
  { failures, openMs }: Required<BreakerOptions>,
  clock: Clock,
  onChange: (circuit: Circuit) => void,
): Breaker {
  let openUntil = 0
  const policy = circuitBreaker(
    handleWhen((error) => isConnectionFailure(error)),
    // cockatiel looks at the machine's clock: by that the time is always up, and ours decides.
    { breaker: new ConsecutiveBreaker(failures), halfOpenAfter: Number.NEGATIVE_INFINITY },
  )
  policy.onBreak(() => {
    openUntil = clock.now() + openMs
  })
  policy.onStateChange((state) => onChange(circuits[state]))

  return {
    pass(work) {
      const { state } = policy
      const mayPass =
        state === CircuitState.Closed || (state === CircuitState.Open && clock.now() >= openUntil)
      return mayPass ? policy.execute(work) : Promise.reject(refusal(policy.lastFailure))
    },
    get circuit() {
      return circuits[policy.state]
    },
  }
}

function refusal(lastFailure: object | undefined): RetryError {
  const cause = lastFailure && 'error' in lastFailure ? { cause: lastFailure.error } : {}
  return new RetryError('DB_RETRY_CIRCUIT_OPEN', 'The circuit is open: the database could not be reached', {
    ...cause,
    retryable: true,
  })
}
