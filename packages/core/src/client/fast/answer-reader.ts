import type { EventEmitter } from 'node:events'
import { int32 } from './data-row.ts'
import { OwnBufferSocket } from './own-buffer-socket.ts'

/** Takes what comes back for one statement. The bytes of a row hold until `takeRow` returns. */
export interface AnswerTaker {
  takeRow(bytes: Buffer, at: number): void
  /** One of the statements sent together is done. */
  takeCompletion(): void
}

/** node-postgres' low-level connection, as far as it is used. */
export interface ReadConnection extends Pick<EventEmitter, 'once'> {
  readonly stream: Pick<EventEmitter, 'listeners' | 'on' | 'removeListener'>
  readonly ssl: unknown
}

const readers = new WeakMap<object, AnswerReader>()
const header = 5
const [bindComplete, commandComplete, dataRow, readyForQuery] = [0x32, 0x43, 0x44, 0x5a]

/**
 * Reads the rows of our own statements, so that each column is read once, from the bytes, as what it becomes.
 * All other messages go on to node-postgres' parser, which always gets whole ones.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export class AnswerReader {
  readonly #next: (bytes: Buffer) => void
  #taker: AnswerTaker | undefined
  /** The beginning of a message that has not come as a whole. */
  #parts: Buffer[] = []
  #partsLength = 0
  /** How many bytes there must be before it is worth another look. */
  #needed = 0

  private constructor(next: (bytes: Buffer) => void) {
    this.#next = next
  }

  /** Puts one in front of the parser of a connection that is about to be opened, before the first byte comes. */
  static attach(connection: ReadConnection): void {
    connection.once(connection.ssl ? 'sslconnect' : 'connect', () => {
      const { stream } = connection
      const [next, ...others] = stream.listeners('data') as ((bytes: Buffer) => void)[]
      if (!next || others.length > 0) return
      const reader = new AnswerReader(next)
      readers.set(stream, reader)
      const read = (bytes: Buffer): void => reader.#read(bytes)
      if (stream instanceof OwnBufferSocket) stream.reader = read
      else {
        stream.removeListener('data', next)
        stream.on('data', read)
      }
    })
  }

  /** The connection's reader; `undefined` where node-postgres reads in a way that is not known here. */
  static of({ stream }: Pick<ReadConnection, 'stream'>): AnswerReader | undefined {
    return readers.get(stream)
  }

  /** The answer that comes next is the taker's. */
  expect(taker: AnswerTaker): void {
    this.#taker = taker
  }

  #read(chunk: Buffer): void {
    const bytes = this.#joined(chunk)
    if (!bytes) return
    let at = 0
    // Where the messages begin that are for the parser.
    let theirs = 0
    let needed = header
    while (bytes.length - at >= header) {
      const next = at + 1 + int32(bytes, at + 1)
      if (next > bytes.length) {
        needed = next - at
        break
      }
      const type = bytes[at]
      if (this.#taker && (type === dataRow || type === bindComplete || type === commandComplete)) {
        this.#pass(bytes, theirs, at)
        if (type === dataRow) this.#taker.takeRow(bytes, at + header + 2)
        else if (type === commandComplete) this.#taker.takeCompletion()
        theirs = next
      } else if (type === readyForQuery) {
        // What the parser makes of it may be the next statement.
        this.#taker = undefined
        this.#pass(bytes, theirs, next)
        theirs = next
      }
      at = next
    }
    this.#pass(bytes, theirs, at)
    if (at === bytes.length) return
    this.#parts = [Buffer.from(bytes.subarray(at))]
    this.#partsLength = bytes.length - at
    this.#needed = needed
  }

  /** What has come so far, if it may hold a whole message; a long one is put together once. */
  #joined(chunk: Buffer): Buffer | undefined {
    if (this.#partsLength === 0) return chunk
    this.#parts.push(Buffer.from(chunk))
    this.#partsLength += chunk.length
    if (this.#partsLength < this.#needed) return undefined
    const bytes = Buffer.concat(this.#parts)
    this.#parts = []
    this.#partsLength = 0
    return bytes
  }

  /** Copied, because whoever takes a message keeps what he likes. */
  #pass(bytes: Buffer, from: number, to: number): void {
    if (from < to) this.#next(Buffer.from(bytes.subarray(from, to)))
  }
}
