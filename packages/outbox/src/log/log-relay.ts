import { restoreContext } from '@org/db-core'
import type { CapturedModel } from '../captured-models.ts'
import { OutboxError } from '../errors.ts'
import type { Outbox } from '../outbox.ts'
import { createWake } from '../wake.ts'
import { type LogModels, logModels } from './log-changes.ts'
import { type LogRelayOptions, toLogSettings } from './log-options.ts'
import { readPosition, resetPosition } from './log-position.ts'
import { checkSetup, createSlot, dropSlot, onReplicationRole, type SlotState, slotState } from './log-slot.ts'
import { logSql } from './log-sql.ts'
import { openLogStream } from './log-stream.ts'
import { storeLog } from './store-log.ts'

/** How a relay is doing. */
export interface LogRelayStatus {
  /** `receiving`, `standby` while another process receives, `waiting` after a failure, `lost` when log is missing. */
  readonly state: 'stopped' | 'receiving' | 'standby' | 'waiting' | 'lost'
  /** The slot as the server has it; `undefined` when it is not there. */
  readonly slot: SlotState | undefined
}

/** Reads row changes of models with `by: 'log'` from the server's log into the feed, each exactly once. */
export interface LogRelay {
  /** SQL that the tables need, for a migration. Its role must own the tables. */
  sql(): string
  /** Applies it. */
  install(): Promise<void>
  /**
   * Checks the set-up, makes the slot, and begins. Several processes may start a relay: one works, another takes over.
   * @throws OutboxError DB_OUTBOX_LOG_SETUP, which names all that is missing, DB_OUTBOX_CLOSED
   */
  start(): Promise<void>
  status(): Promise<LogRelayStatus>
  /**
   * Drops the slot, so that the server keeps no log for it; a relay that starts later reports a gap. Close relays first.
   * @throws OutboxError DB_OUTBOX_LOG_SETUP while one receives
   */
  drop(): Promise<void>
  /** Ends; the slot stays, and who starts next goes on where this one was. Closing the outbox does it too. */
  close(): Promise<void>
}

const minDelayMs = 100
const maxDelayMs = 30_000

/** Makes a relay for an outbox that was handed to `createDatabase`. @throws OutboxError DB_OUTBOX_OPTIONS */
export function createLogRelay(outbox: Outbox, options: LogRelayOptions): LogRelay {
  const settings = toLogSettings(options)
  const { url, slot, publication, heartbeatMs, standbyMs } = settings
  const { host, captured, events, announce, parts } = outbox['~inside']
  const sleeper = createWake().sleeper()
  let state: LogRelayStatus['state'] = 'stopped'
  let isClosing = false
  let running: Promise<void> | undefined
  let endStream: (() => Promise<void>) | undefined
  let alarmAt = 0

  const models = (): readonly CapturedModel[] => captured().filter(({ by }) => by === 'log')
  const gap = (error?: unknown): void =>
    events.emit('outbox.log.gap', {
      slot,
      models: models().map(({ rows }) => rows.model),
      ...(error !== undefined && { error }),
    })

  async function prepare(): Promise<void> {
    const made = await onReplicationRole(url, async (client) => {
      await checkSetup(client, settings, { models: models(), isWalUnlimited: settings.unlimitedWal })
      const isNew = await createSlot(client, settings)
      return { isNew, found: await slotState(client, settings) }
    })
    const known = await readPosition(host().sql, slot)
    if (!made.found) {
      throw new OutboxError('DB_OUTBOX_LOG_SETUP', `The slot ${slot} belongs to another database`)
    }
    if (known && !made.isNew) return
    await resetPosition(host().sql, slot, made.found.confirmed)
    gap()
  }

  async function receive(known: LogModels): Promise<void> {
    const stream = await openLogStream({ url, slot, publication })
    endStream = stream.close
    try {
      state = 'receiving'
      if (!isClosing)
        await storeLog(stream, {
          sql: host().sql,
          slot,
          models: known,
          maxCount: settings.maxCount,
          announce,
        })
    } finally {
      endStream = undefined
      await stream.close()
    }
  }

  async function keep(): Promise<void> {
    const known = logModels(models())
    for (let delayMs = minDelayMs; !isClosing; ) {
      const since = performance.now()
      try {
        await receive(known)
      } catch (error) {
        if (isClosing) return
        if (isInUse(error)) {
          state = 'standby'
          await sleeper.sleep(standbyMs)
          continue
        }
        if (await isLost()) {
          state = 'lost'
          gap(new OutboxError('DB_OUTBOX_LOG_LOST', `Log of the slot ${slot} was dropped`, { cause: error }))
          return
        }
        state = 'waiting'
        events.emit('outbox.failed', { task: 'log', error })
        // One that worked for a while begins with short delays again.
        delayMs = performance.now() - since > maxDelayMs ? minDelayMs : Math.min(delayMs * 2, maxDelayMs)
        await sleeper.sleep(delayMs)
      }
    }
  }

  const isLost = (): Promise<boolean> =>
    onReplicationRole(url, (client) => slotState(client, settings)).then(
      (found) => found === undefined || found.isLost,
      () => false,
    )

  async function watch(): Promise<void> {
    await onReplicationRole(url, async (client) => {
      if (state === 'receiving') {
        // Lets the slot move on in a database where nothing happens while others of the server write.
        await client.query(`SELECT pg_logical_emit_message(false, 'orgdb.outbox.heartbeat', '')`)
      }
      const found = await slotState(client, settings)
      if (!found || found.retainedBytes <= settings.alarmBytes || Date.now() < alarmAt) return
      alarmAt = Date.now() + 60_000
      events.emit('outbox.log.retained', {
        slot,
        retainedBytes: found.retainedBytes,
        safeBytes: found.safeBytes,
      })
    })
  }

  const relay: LogRelay = {
    sql: () => logSql(models(), publication),
    async install() {
      const text = relay.sql()
      if (text !== '') await host().sql.transaction((tx) => tx.query(text))
    },
    async start() {
      if (isClosing) throw new OutboxError('DB_OUTBOX_CLOSED', 'This relay is closed')
      if (running) return
      parts.add(relay)
      // On nobody's behalf: no tenant and no deadline of who starts it.
      await restoreContext({}, prepare)
      running ??= restoreContext({}, () => Promise.all([keep(), heartbeat()]).then(() => undefined))
    },
    async status() {
      const found = await onReplicationRole(url, (client) => slotState(client, settings))
      return { state, slot: found }
    },
    async drop() {
      await onReplicationRole(url, (client) => dropSlot(client, settings))
      await host().sql.query('DELETE FROM orgdb.outbox_log WHERE slot = $1', [slot])
    },
    async close() {
      isClosing = true
      parts.delete(relay)
      beat.close()
      sleeper.close()
      await endStream?.()
      await running
      state = 'stopped'
    },
  }

  const beat = createWake().sleeper()
  async function heartbeat(): Promise<void> {
    for (;;) {
      await beat.sleep(heartbeatMs)
      if (isClosing || state === 'lost') return
      await watch().catch((error: unknown) => events.emit('outbox.failed', { task: 'log heartbeat', error }))
    }
  }

  return relay
}

/** `object_in_use`: another process receives. */
function isInUse(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === '55006'
}
