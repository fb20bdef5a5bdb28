import { type EventSource, type InterceptorHost, isDbError, restoreContext } from '@org/db-core'
import type { OutboxEvents } from './events.ts'
import type { Wake } from './wake.ts'

const channel = 'orgdb_outbox'
const coalesceMs = 5
const maxRetryMs = 30_000

/** Tells the consumers of this and of other processes that there is something new. */
export interface Notifications {
  /** After a commit. */
  announce(): void
  /** Begins to listen, as long as there are listeners; returns what ends it. */
  listen(): () => void
  close(): Promise<void>
}

/**
 * NOTIFY inside a business transaction makes all commits wait for each other, so it is sent after them, by a statement
 * of its own, at most once in 5 ms. Nothing depends on it: without it, polling finds what there is.
 */
export function createNotifications(
  host: () => InterceptorHost,
  {
    wake,
    events,
    isOn,
  }: { readonly wake: Wake; readonly events: EventSource<OutboxEvents>; readonly isOn: boolean },
): Notifications {
  let timer: NodeJS.Timeout | undefined
  let sentAt = 0
  let listeners = 0
  let session: { readonly ended: Promise<void>; readonly end: () => void } | undefined

  function send(): void {
    timer = undefined
    sentAt = performance.now()
    // On nobody's behalf: the deadline of the caller who has committed is none of this statement.
    void restoreContext({}, () => host().sql.query(`NOTIFY ${channel}`)).catch((error: unknown) => {
      if (!isDbError(error, 'DB_CLOSED')) events.emit('outbox.failed', { task: 'notify', error })
    })
  }

  function open(): { readonly ended: Promise<void>; readonly end: () => void } {
    let isOver = false
    let stop = (): void => undefined
    const over = new Promise<void>((resolve) => {
      stop = resolve
    })
    async function keep(): Promise<void> {
      for (let delayMs = 100; !isOver; delayMs = Math.min(delayMs * 2, maxRetryMs)) {
        try {
          await host().session(async (client) => {
            const broken = new Promise<void>((resolve) => void client.on('end', resolve))
            client.on('notification', () => wake.wake())
            await client.query(`LISTEN ${channel}`)
            delayMs = 50
            wake.wake()
            await Promise.race([over, broken])
          })
        } catch (error) {
          events.emit('outbox.listen.unavailable', { error })
          if (isDbError(error, 'DB_SESSION_REQUIRED') || isDbError(error, 'DB_CLOSED')) return
        }
        if (!isOver)
          await Promise.race([over, new Promise((resolve) => setTimeout(resolve, delayMs).unref())])
      }
    }
    const ended = restoreContext({}, keep)
    return {
      ended,
      end: () => {
        isOver = true
        stop()
      },
    }
  }

  return {
    announce() {
      wake.wake()
      if (!isOn || timer) return
      const waitMs = sentAt + coalesceMs - performance.now()
      if (waitMs <= 0) send()
      else timer = setTimeout(send, waitMs)
    },
    listen() {
      if (!isOn) return () => undefined
      listeners += 1
      session ??= open()
      return () => {
        listeners -= 1
        if (listeners > 0) return
        session?.end()
        session = undefined
      }
    },
    async close() {
      if (timer) {
        clearTimeout(timer)
        send()
      }
      session?.end()
      await session?.ended
    },
  }
}
