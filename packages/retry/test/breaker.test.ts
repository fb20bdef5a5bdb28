import { controllableClock } from '@org/db-testing'
import { describe, expect, it } from 'vitest'
import { RetryError, retry } from '../src/index.ts'
import { alwaysFailing, codeOf, failing, failure } from './support/failures.ts'

function setup() {
  const clock = controllableClock()
  const policy = retry({ attempts: 1, clock, breaker: { failures: 3, openMs: 1_000 } })
  const circuits: string[] = []
  policy.events.on('retry.circuit', ({ circuit }) => circuits.push(circuit))
  const fail = alwaysFailing('DB_UNREACHABLE')
  const breakIt = async () => {
    for (let call = 0; call < 3; call += 1) await codeOf(policy.run(fail))
  }
  return { clock, policy, circuits, fail, breakIt }
}

describe('the circuit breaker', () => {
  it('opens after connection failures in a row and then asks nobody', async () => {
    const { policy, fail, breakIt, circuits } = setup()
    await breakIt()
    const error = await policy.run(fail).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(RetryError)
    expect(error).toMatchObject({ code: 'DB_RETRY_CIRCUIT_OPEN', retryable: true })
    expect((error as Error).cause).toMatchObject({ code: 'DB_UNREACHABLE' })
    expect(fail.runs).toBe(3)
    expect(circuits).toEqual(['open'])
    expect(policy.metrics()).toMatchObject({ circuit: 'open', gaveUp: { circuit: 1 } })
  })

  it('lets one attempt through after a while, refuses the others meanwhile, and closes when it succeeds', async () => {
    const { clock, policy, breakIt, circuits } = setup()
    await breakIt()
    await clock.advance(1_000)
    let answer: (value: string) => void = () => undefined
    const probe = policy.run(() => new Promise<string>((resolve) => (answer = resolve)))
    expect(await codeOf(policy.run(failing()))).toBe('DB_RETRY_CIRCUIT_OPEN')
    answer('back')
    expect(await probe).toBe('back')
    expect(await policy.run(failing())).toBe('done')
    expect(circuits).toEqual(['open', 'half-open', 'closed'])
  })

  it('opens again for the same time when the attempt fails', async () => {
    const { clock, policy, breakIt, fail, circuits } = setup()
    await breakIt()
    await clock.advance(1_000)
    expect(await codeOf(policy.run(fail))).toBe('DB_UNREACHABLE')
    await clock.advance(999)
    expect(await codeOf(policy.run(fail))).toBe('DB_RETRY_CIRCUIT_OPEN')
    await clock.advance(1)
    expect(await policy.run(failing())).toBe('done')
    expect(circuits).toEqual(['open', 'half-open', 'open', 'half-open', 'closed'])
  })

  it('does not count answers of a server that is there', async () => {
    const { policy } = setup()
    for (const code of ['DB_DEADLOCK', 'DB_UNIQUE_VIOLATION', 'DB_SERIALIZATION', 'DB_TIMEOUT'] as const) {
      await codeOf(policy.run(alwaysFailing(code)))
    }
    expect(policy.metrics().circuit).toBe('closed')
  })

  it('forgets failures when an attempt succeeds in between', async () => {
    const { policy } = setup()
    const lost = failure('DB_CONNECTION_LOST')
    for (const work of [failing(lost), failing(lost), failing(), failing(lost), failing(lost)]) {
      await codeOf(policy.run(work))
    }
    expect(policy.metrics().circuit).toBe('closed')
  })
})
