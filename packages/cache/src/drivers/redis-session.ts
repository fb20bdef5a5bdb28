import { closedError } from '../errors.ts'
import type { CacheFailure, Invalidation } from '../types.ts'
import { createDeadlines } from './deadlines.ts'
import { mergeInvalidations } from './pending.ts'
import type { RedisLike } from './redis-like.ts'

// When may an answer of Redis be believed? An invalidation that another process sent while Redis stood still is
// carried out when it wakes up, maybe just after the answer to us. So an answer counts only if a command that was
// sent a short time before it had already been answered: whatever reached Redis before that one has been done.
// A Redis that was restarted, or another one after a failover, may have forgotten invalidations: nothing in it is
// believed until everything has been voided.

/** How a session behaves. */
export interface RedisSessionOptions {
  readonly client: RedisLike
  readonly commandTimeoutMs: number
  /** An answer is believed if another command, answered before, was sent less than this before it. */
  readonly trustMs: number
  /** Failures in a row that open the breaker. */
  readonly breakerFailures: number
  /** How long the breaker stays open. */
  readonly breakerCooldownMs: number
  /** Carries an invalidation out. */
  readonly apply: (what: Invalidation) => Promise<unknown>
  /** Voids what a Redis holds that was started since anybody of ours talked to it. */
  readonly greet: (runId: string) => Promise<unknown>
  /** Voids everything in a Redis that may have forgotten invalidations, and lets nobody trust it for a while. */
  readonly settle: () => Promise<unknown>
  readonly report: (failure: CacheFailure) => void
}

/** The relation to one Redis: whether it answers, whether it can be believed, what it has still to be told. */
export interface RedisSession {
  /** Settles when the first contact has been made, or has failed. */
  readonly opening: Promise<void>
  /** Whether the first contact is still being made. */
  isOpening(): boolean
  /** Whether anything may be read and stored. */
  isTrusted(): boolean
  isHealthy(): boolean
  /** Sends one command, in bounded time. */
  send<T>(command: () => Promise<T>): Promise<T>
  /** Sends a question until its answer can be believed; `undefined` if it can't be. */
  ask<T>(question: () => Promise<T>): Promise<T | undefined>
  /** Resolves when the invalidation has been carried out, however long Redis is away. */
  invalidate(what: Invalidation): Promise<void>
  close(): void
}

interface Waiter {
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export function createRedisSession(options: RedisSessionOptions): RedisSession {
  const { client, trustMs, report } = options
  const inTime = createDeadlines(options.commandTimeoutMs)
  /** When the latest command was sent that has been answered. */
  let contactAt = Number.NEGATIVE_INFINITY
  let failures = 0
  let openUntil = 0
  /** The connection broke and it is not known yet whether Redis is still the one that it was. */
  let isLost = true
  let losses = 0
  let runId: string | undefined
  let pending: { what: Invalidation; readonly done: Waiter[] } | undefined
  let repairing: Promise<void> | undefined
  let isClosed = false
  let opened: () => void = () => {}
  const sleeping = new Set<() => void>()

  async function send<T>(command: () => Promise<T>): Promise<T> {
    const sentAt = performance.now()
    try {
      const answer = await inTime(command())
      failures = 0
      openUntil = 0
      if (sentAt > contactAt) contactAt = sentAt
      return answer
    } catch (error) {
      // A refusal is an answer too: only silence is a reason to stop asking.
      if (isRefusal(error)) failures = 0
      else if (++failures >= options.breakerFailures) {
        openUntil = performance.now() + options.breakerCooldownMs
      }
      throw error
    }
  }

  function isOpen(): boolean {
    if (openUntil === 0) return false
    const now = performance.now()
    if (now < openUntil) return true
    // One caller may try; the others wait for what becomes of it.
    openUntil = now + options.breakerCooldownMs
    return false
  }

  async function ask<T>(question: () => Promise<T>): Promise<T | undefined> {
    for (let attempt = 0; attempt < 3; attempt++) {
      const before = contactAt
      const lossesBefore = losses
      const sentAt = performance.now()
      const answer = await send(question)
      if (losses !== lossesBefore || pending !== undefined) return undefined
      if (sentAt - before <= trustMs) return answer
    }
    return undefined
  }

  /** Tells Redis what it has missed, as soon as it can be reached, and as long as there is something. */
  function repair(): Promise<void> {
    repairing ??= (async () => {
      for (let delayMs = 20; (isLost || pending) && !isClosed; delayMs = Math.min(delayMs * 2, 500)) {
        try {
          await repairOnce()
          opened()
        } catch (error) {
          opened()
          report({ during: 'invalidate', error })
          await pause(delayMs)
        }
      }
    })().finally(() => {
      repairing = undefined
    })
    return repairing
  }

  async function repairOnce(): Promise<void> {
    const lossesBefore = losses
    if (isLost) {
      const found = await identify()
      if (found !== undefined) await send(() => options.greet(found))
      if (losses > 0 && (runId === undefined || found !== runId)) await send(options.settle)
      if (losses !== lossesBefore) return
      runId = found
      isLost = false
    }
    const batch = pending
    if (batch === undefined) return
    const { what, done } = batch
    const count = done.length
    await send(() => options.apply(what))
    if (losses !== lossesBefore) return
    // What came in meanwhile is applied in the next round.
    if (pending === batch && batch.what === what) pending = undefined
    for (const { resolve } of done.splice(0, count)) resolve()
  }

  /** A cluster has no identity of its own: a node of it may have changed unseen. */
  async function identify(): Promise<string | undefined> {
    if (client.isCluster) return undefined
    const answer = await send(() => client.info('server'))
    return /run_id:(\w+)/.exec(answer)?.[1]
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        sleeping.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      timer.unref()
      sleeping.add(wake)
    })
  }

  function lose(): void {
    isLost = true
    losses++
    void repair()
  }
  function wakeUp(): void {
    for (const wake of [...sleeping]) wake()
  }
  const losing = ['close', 'end', '+node', '-node']
  for (const event of losing) client.on(event, lose)
  client.on('ready', wakeUp)
  // Without a listener ioredis writes each to the console.
  const complain = (error: unknown): void => report({ during: 'connection', error })
  client.on('error', complain)
  let isOpening = true
  const opening = new Promise<void>((resolve) => {
    opened = () => {
      isOpening = false
      resolve()
    }
  })
  void repair()

  return {
    opening,
    isOpening: () => isOpening,
    isTrusted: () => !isLost && pending === undefined && !isOpen(),
    isHealthy: () => !isLost && failures < options.breakerFailures,
    send,
    ask,
    async invalidate(what) {
      if (isClosed) throw closedError()
      const lossesBefore = losses
      if (!isLost && pending === undefined) {
        try {
          await send(() => options.apply(what))
          if (losses === lossesBefore) return
        } catch (error) {
          report({ during: 'invalidate', error })
        }
      }
      await new Promise<void>((resolve, reject) => {
        if (isClosed) return reject(closedError())
        if (pending) {
          pending.what = mergeInvalidations(pending.what, what)
          pending.done.push({ resolve, reject })
        } else pending = { what, done: [{ resolve, reject }] }
        void repair()
      })
    },
    close() {
      isClosed = true
      for (const event of losing) client.off(event, lose)
      client.off('ready', wakeUp)
      client.off('error', complain)
      wakeUp()
      if (pending === undefined) return
      const error = closedError()
      report({ during: 'invalidate', error })
      for (const { reject } of pending.done) reject(error)
    },
  }
}

/** An error that Redis itself answered with. */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'ReplyError'
}
