import { setTimeout as delay } from 'node:timers/promises'
import type { ReplicaMetrics } from '@org/db-core/client'

/** What one disturbance of one replica came to. */
export interface Watched {
  /** Until the replica was left out. */
  readonly leftOutAfterMs: number
  /** Calls that it was sent while it was left out. */
  readonly servedWhileOut: number
  /** From the end of the disturbance until it was up again. */
  readonly backAfterMs: number
  /** Whether it was sent calls again once it was up. */
  readonly servedAgain: boolean
}

/** Disturbs a replica, and looks on from outside. Rejects when it is not left out, or does not come back, in 20 s. */
export async function watch(options: {
  readonly metrics: () => ReplicaMetrics
  readonly disturb: () => Promise<void>
  readonly end: () => Promise<void>
  /** How long it stays out. */
  readonly holdMs: number
}): Promise<Watched> {
  const { metrics, disturb, end, holdMs } = options
  const disturbedAt = performance.now()
  await disturb()
  let before = 0
  let leftOutAfterMs = 0
  let servedWhileOut = 0
  try {
    await until(() => metrics().state !== 'up' && metrics().state !== 'unknown')
    leftOutAfterMs = performance.now() - disturbedAt
    before = metrics().served
    await delay(holdMs)
    servedWhileOut = metrics().served - before
  } finally {
    await end()
  }
  const endedAt = performance.now()
  await until(() => metrics().state === 'up')
  const backAfterMs = performance.now() - endedAt
  before = metrics().served
  const servedAgain = await until(() => metrics().served > before).then(
    () => true,
    () => false,
  )
  return { leftOutAfterMs, servedWhileOut, backAfterMs, servedAgain }
}

async function until(check: () => boolean): Promise<void> {
  for (const deadline = performance.now() + 20_000; !check(); await delay(5)) {
    if (performance.now() > deadline) throw new Error(`Not within 20 s: ${check}`)
  }
}
