import { setTimeout as delay } from 'node:timers/promises'
import { killBackends, type TcpProxy } from '@org/db-testing'

/** What goes wrong while the workers work. */
export interface Disturbance {
  readonly killed: number
  /** Answers to COMMIT that never came, because the connection was cut instead. */
  readonly cuts: number
  stop(): Promise<void>
}

/** Kills a backend of the database at `url` every `killEveryMs`, and cuts an answer to COMMIT every `cutEveryMs`. */
export function disturb(options: {
  readonly url: string
  readonly proxy: TcpProxy
  readonly killEveryMs: number
  readonly cutEveryMs: number
}): Disturbance {
  const { url, proxy, killEveryMs, cutEveryMs } = options
  const stopped = createStop()
  const cutsBefore = proxy.cuts
  let killed = 0

  const running = Promise.all([
    every(killEveryMs, stopped, async () => {
      killed += await killBackends(url, { limit: 1 })
    }),
    every(cutEveryMs, stopped, () => {
      const rule = { from: 'server', bytes: 'COMMIT' } as const
      return Promise.race([proxy.cutWhen(rule), stopped.promise])
    }),
  ])
  // Its failure is reported by `stop`.
  running.catch(() => undefined)
  return {
    get killed() {
      return killed
    },
    get cuts() {
      return proxy.cuts - cutsBefore
    },
    async stop() {
      stopped.stop()
      await running
    },
  }
}

/** A wish to stop that can be waited for. */
interface Stop {
  readonly promise: Promise<void>
  readonly isWished: boolean
  stop(): void
}

function createStop(): Stop {
  let isWished = false
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return {
    promise,
    get isWished() {
      return isWished
    },
    stop() {
      isWished = true
      resolve()
    },
  }
}

async function every(periodMs: number, stopped: Stop, action: () => Promise<void>): Promise<void> {
  for (let due = performance.now() + periodMs; ; due += periodMs) {
    await Promise.race([delay(Math.max(0, due - performance.now())), stopped.promise])
    if (stopped.isWished) return
    await action()
  }
}
