import { describe, expect, it } from 'vitest'
import { controllableClock } from '../src/index.ts'

describe('controllableClock', () => {
  it('stands still until it is moved', async () => {
    const clock = controllableClock(1_000)
    expect(clock.now()).toBe(1_000)
    await clock.advance(250)
    expect(clock.now()).toBe(1_250)
  })

  it('wakes sleepers in the order of their time, each at its own time', async () => {
    const clock = controllableClock(0)
    const woken: string[] = []
    const sleeper = async (name: string, ms: number) => {
      await clock.sleep(ms)
      woken.push(`${name} at ${clock.now()}`)
    }
    void Promise.all([
      sleeper('late', 300),
      sleeper('early', 100),
      sleeper('also early', 100),
      sleeper('never', 500),
    ])
    await clock.advance(400)
    expect(woken).toEqual(['early at 100', 'also early at 100', 'late at 300'])
    expect(clock.now()).toBe(400)
    expect(clock.sleepers).toBe(1)
  })

  it('wakes within one move whoever falls asleep again', async () => {
    const clock = controllableClock(0)
    const ticks: number[] = []
    void (async () => {
      for (;;) {
        await clock.sleep(100)
        ticks.push(clock.now())
      }
    })()
    await clock.advance(350)
    expect(ticks).toEqual([100, 200, 300])
  })

  it('rejects with the reason of the signal, at once', async () => {
    const clock = controllableClock()
    const controller = new AbortController()
    const reason = new Error('deadline')
    const sleep = clock.sleep(100, controller.signal)
    controller.abort(reason)
    await expect(sleep).rejects.toBe(reason)
    await expect(clock.sleep(100, controller.signal)).rejects.toBe(reason)
    expect(clock.sleepers).toBe(0)
  })

  it('does not wait for a sleep of no length', async () => {
    const clock = controllableClock()
    await clock.sleep(0)
    expect(clock.sleepers).toBe(0)
  })

  it('tells when the code has fallen asleep', async () => {
    const clock = controllableClock()
    setImmediate(() => void clock.sleep(10))
    setImmediate(() => void clock.sleep(10))
    await clock.untilSleeping(2)
    expect(clock.sleepers).toBe(2)
    await clock.untilSleeping()
  })
})
