import { setTimeout as delay } from 'node:timers/promises'
import { killBackends } from '@org/db-testing'

/** Ends one connection of the database after the other. */
export interface BackendKiller {
  readonly killed: number
  stop(): Promise<void>
}

/** Ends a connection of the database at `url`, chosen at random, every `everyMs`, as an administrator can. */
export function startBackendKiller(url: string, everyMs: number): BackendKiller {
  const stopping = new AbortController()
  const killer = { killed: 0, stop }
  const running = run()

  async function run(): Promise<void> {
    // A kill takes some time itself, which must not make them rarer.
    for (let due = performance.now() + everyMs; ; due += everyMs) {
      if (!(await waited(Math.max(0, due - performance.now()), stopping.signal))) return
      killer.killed += await killBackends(url, { limit: 1 })
    }
  }
  async function stop(): Promise<void> {
    stopping.abort()
    await running
  }
  // Its failure is reported by `stop`.
  running.catch(() => {})
  return killer
}

async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(ms, undefined, { signal })
    return true
  } catch {
    // Aborted: the only way in which this wait fails.
    return false
  }
}
