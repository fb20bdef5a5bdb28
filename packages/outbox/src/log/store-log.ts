import type { SqlClient } from '@org/db-core'
import { changesOf, type LogModels, type StoredChange } from './log-changes.ts'
import { advance, type LogPosition, readPosition } from './log-position.ts'
import type { LogStream } from './log-stream.ts'
import type { Lsn } from './lsn.ts'

export interface StoreLogOptions {
  readonly sql: SqlClient
  readonly slot: string
  readonly models: LogModels
  /** Changes that are stored at once; longer transactions are stored in parts. */
  readonly maxCount: number
  /** Called when something was stored. */
  announce(): void
}

/** The transaction that is arriving. */
interface Arriving {
  readonly lsn: Lsn
  readonly atMs: number
  /** Changes that a former run has stored. */
  readonly skip: number
  count: number
}

/** Puts what the stream brings into the feed until it ends: each change once, whatever breaks in between. */
export async function storeLog(stream: LogStream, options: StoreLogOptions): Promise<void> {
  const { sql, slot, models, maxCount, announce } = options
  let stored: LogPosition = (await readPosition(sql, slot)) ?? { lsn: 0n, partly: undefined }
  let reached = stored
  /** Where the server may go on when all of `waiting` is stored. */
  let end: Lsn = 0n
  let waiting: StoredChange[] = []
  let arriving: Arriving | undefined

  async function flush(): Promise<void> {
    if (waiting.length > 0) {
      await advance(sql, slot, { from: stored, to: reached, changes: waiting })
      stored = reached
      waiting = []
      announce()
    }
    stream.confirm(end)
  }

  for await (const { lsn, message } of stream.arrivals()) {
    if (message?.kind === 'begin') {
      const isKnown = message.lsn < stored.lsn || (message.lsn === stored.lsn && stored.partly === undefined)
      const partly = message.lsn === stored.lsn ? (stored.partly ?? 0) : 0
      arriving = {
        lsn: message.lsn,
        atMs: message.atMs,
        skip: isKnown ? Number.POSITIVE_INFINITY : partly,
        count: 0,
      }
    } else if (message?.kind === 'commit') {
      if (arriving && arriving.count > arriving.skip) reached = { lsn: arriving.lsn, partly: undefined }
      arriving = undefined
      end = message.end
    } else if (message && arriving) {
      for (const change of changesOf(message, models)) {
        arriving.count += 1
        if (arriving.count <= arriving.skip) continue
        waiting.push({ change, atMs: arriving.atMs })
        reached = { lsn: arriving.lsn, partly: arriving.count }
      }
    } else if (!arriving && lsn > end) {
      end = lsn
    }
    if (waiting.length >= maxCount || (!arriving && !stream.hasMore)) await flush()
  }
}
