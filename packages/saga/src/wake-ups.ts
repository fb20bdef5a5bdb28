import { type EventSource, type InterceptorHost, isDbError, restoreContext } from '@org/db-core'
import type { SagaEvents } from './events.ts'
import { pause } from './retry-policy.ts'

export const channel = 'orgdb_saga'
const coalesceMs = 5
const mostIds = 50
const maxRetryMs = 30_000

/** Tells the workers of other processes, so that they need not wait for their next look. */
export interface WakeUps {
  /** There is something to do, for a saga that somebody may have in hand or for anybody. After the commit. */
  announce(id?: string): void
  /** Listens until `closed` aborts, where there is a connection for it; hears of ids, and of `''` for anybody. */
  listen(closed: AbortSignal, onHeard: (id: string) => void): Promise<void>
  /** Runs SQL on the connection that listens; `undefined` where there is none now. */
  readonly query: ((sql: string) => Promise<unknown>) | undefined
}

export interface WakeUpsOptions {
  readonly host: () => InterceptorHost
  readonly events: EventSource<SagaEvents>
  readonly outside: <T>(fn: () => T) => T
  readonly isOn: boolean
}

/**
 * NOTIFY inside a transaction makes all commits wait for each other, so it is sent after them, by a statement of its own, at
 * most once in 5 ms. Nothing depends on it: without it, looking finds what there is.
 */
export function createWakeUps({ host, events, outside, isOn }: WakeUpsOptions): WakeUps {
  const ids = new Set<string>()
  let isWaiting = false
  let query: WakeUps['query']

  async function send(): Promise<void> {
    isWaiting = false
    const told = ids.size > mostIds ? [''] : [...ids]
    ids.clear()
    try {
      await host().sql.query(`SELECT pg_notify('${channel}', id) FROM unnest($1::text[]) AS id`, [told])
    } catch (error) {
      if (!isDbError(error, 'DB_CLOSED')) events.emit('saga.failed', { task: 'notify', error })
    }
  }

  return {
    announce(id = '') {
      if (!isOn) return
      ids.add(id)
      if (isWaiting) return
      isWaiting = true
      outside(() => restoreContext({}, () => setTimeout(() => void send(), coalesceMs)))
    },
    get query() {
      return query
    },
    async listen(closed, onHeard) {
      if (!isOn) return
      const over = new Promise<void>((resolve) => closed.addEventListener('abort', () => resolve()))
      for (let delayMs = 100; !closed.aborted; delayMs = Math.min(delayMs * 2, maxRetryMs)) {
        try {
          await host().session(async (client) => {
            const broken = new Promise<void>((resolve) => void client.on('end', resolve))
            client.on('notification', ({ payload = '' }) => onHeard(payload))
            await client.query(`LISTEN ${channel}`)
            delayMs = 50
            query = (sql) => client.query(sql)
            onHeard('')
            await Promise.race([over, broken])
          })
        } catch (error) {
          if (!closed.aborted) events.emit('saga.listen.unavailable', { error })
          if (isDbError(error, 'DB_SESSION_REQUIRED') || isDbError(error, 'DB_CLOSED')) return
        } finally {
          query = undefined
        }
        await pause(delayMs, closed)
      }
    },
  }
}
