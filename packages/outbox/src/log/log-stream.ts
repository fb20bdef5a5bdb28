import pg from 'pg'
import type { Lsn } from './lsn.ts'
import { createPgoutputReader, type LogMessage } from './pgoutput.ts'

/** What arrives: a message of the log, or, without one, the news that there is nothing before `lsn` any more. */
export interface Arrival {
  readonly lsn: Lsn
  readonly message?: LogMessage
}

/** One connection that receives the log. */
export interface LogStream {
  /** What has arrived, in order; ends when the stream is closed. @throws what ended the connection */
  arrivals(): AsyncIterable<Arrival>
  /** Whether something has arrived that was not taken yet. */
  readonly hasMore: boolean
  /** Tells the server that everything before `lsn` is stored, so that it may drop it. */
  confirm(lsn: Lsn): void
  close(): Promise<void>
}

export interface LogStreamOptions {
  readonly url: string
  readonly slot: string
  readonly publication: string
}

/** node-postgres' low-level connection, as far as it is used. */
interface WireConnection {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  readonly stream: { pause(): void; resume(): void; destroy(): void }
}

/** Bytes that may wait before the server is told to stop sending. */
const maxWaitingBytes = 4 * 1024 * 1024

/** The server ends a connection that says nothing for `wal_sender_timeout`, 60 s by default. */
const reportEveryMs = 5_000
const connectTimeoutMs = 10_000
const endTimeoutMs = 2_000

/** Connects and begins where the slot's confirmed position is. @throws node-postgres' error, 55006 when the slot is in use */
export async function openLogStream({ url, slot, publication }: LogStreamOptions): Promise<LogStream> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: connectTimeoutMs,
    keepAlive: true,
    ...({ replication: 'database' } as object),
  })
  let failure: { readonly error: unknown } | undefined
  let isClosed = false
  let confirmed = 0n
  let waitingBytes = 0
  let waiting: { readonly arrival: Arrival; readonly bytes: number }[] = []
  let taken = 0
  let notify = (): void => undefined
  let wire: WireConnection | undefined
  let started: (() => void) | undefined
  let refused: ((error: unknown) => void) | undefined
  const read = createPgoutputReader()

  const fail = (error: unknown): void => {
    failure ??= { error }
    refused?.(error)
    notify()
  }
  client.on('error', fail)
  client.on('end', () => fail(new Error('The connection that received the log was ended')))
  await client.connect()

  function report(): void {
    if (!wire || isClosed || failure) return
    const message = Buffer.alloc(34)
    message[0] = 0x72
    for (const at of [1, 9, 17]) message.writeBigUInt64BE(confirmed, at)
    message.writeBigInt64BE(BigInt(Date.now() - 946_684_800_000) * 1_000n, 25)
    wire.sendCopyFromChunk(message)
  }

  function take(chunk: Buffer): void {
    const letter = chunk[0]
    if (letter === 0x77)
      push({ lsn: chunk.readBigUInt64BE(1), message: read(chunk.subarray(25)) }, chunk.length)
    if (letter !== 0x6b) return
    push({ lsn: chunk.readBigUInt64BE(1) }, chunk.length)
    if (chunk[17] === 1) report()
  }

  function push(arrival: Arrival, bytes: number): void {
    waiting.push({ arrival, bytes })
    waitingBytes += bytes
    if (waitingBytes > maxWaitingBytes) wire?.stream.pause()
    notify()
  }

  const start = new Promise<void>((resolve, reject) => {
    started = resolve
    refused = reject
  })
  // What node-postgres calls a submittable: it is handed what arrives while it is the active query.
  const copyBoth = {
    text: 'START_REPLICATION',
    submit(connection: WireConnection & { once(name: string, listener: () => void): void }) {
      wire = connection
      connection.once('replicationStart', () => started?.())
      connection.query(
        `START_REPLICATION SLOT "${slot}" LOGICAL 0/0 (proto_version '1', publication_names '"${publication}"', messages 'true')`,
      )
      return null
    },
    handleError: fail,
    handleCopyData({ chunk }: { readonly chunk: Buffer }) {
      try {
        take(chunk)
      } catch (error) {
        fail(error)
      }
    },
    handleReadyForQuery: () => fail(new Error('The server has stopped to send the log')),
    handleRowDescription: () => undefined,
    handleDataRow: () => undefined,
    handleCommandComplete: () => undefined,
    handleEmptyQuery: () => undefined,
    handlePortalSuspended: () => undefined,
    handleCopyInResponse: () => undefined,
  }
  client.query(copyBoth as unknown as pg.Submittable)
  const timer = setInterval(report, reportEveryMs)

  async function close(): Promise<void> {
    if (isClosed) return
    report()
    isClosed = true
    clearInterval(timer)
    notify()
    const cut = setTimeout(() => wire?.stream.destroy(), endTimeoutMs)
    await client.end().catch(() => undefined)
    clearTimeout(cut)
  }

  try {
    await start
  } catch (error) {
    await close()
    throw error
  }

  async function* arrivals(): AsyncGenerator<Arrival> {
    for (;;) {
      for (let next = waiting[taken]; next && !isClosed; next = waiting[taken]) {
        taken += 1
        waitingBytes -= next.bytes
        if (waitingBytes === 0) wire?.stream.resume()
        if (taken === waiting.length) {
          waiting = []
          taken = 0
        }
        yield next.arrival
      }
      if (isClosed) return
      if (failure) throw failure.error
      await new Promise<void>((resolve) => {
        notify = resolve
      })
      notify = () => undefined
    }
  }

  return {
    arrivals,
    get hasMore() {
      return taken < waiting.length
    },
    confirm(lsn) {
      if (lsn <= confirmed) return
      confirmed = lsn
      report()
    },
    close,
  }
}
