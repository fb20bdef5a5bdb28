import { EventEmitter } from 'node:events'
import pg from 'pg'

// https://www.postgresql.org/docs/current/protocol-message-formats.html

/** A result set as the server would send it. */
export interface MemoryResult {
  readonly columns: readonly { readonly name: string; readonly typeOid: number }[]
  /** Values in PostgreSQL's text form, one list for each row. */
  readonly rows: readonly (readonly string[])[]
}

/**
 * Lets every node-postgres connection that this process opens from now on end in memory: whatever is asked, the
 * answer is `result`. The client's code runs as ever, its reading and writing of the protocol included; there is
 * no socket and no server, whose time would hide a difference of some microseconds. Returns how to undo it.
 */
export function answerFromMemory(result: MemoryResult): () => void {
  const answer: Answer = {
    description: rowDescription(result),
    rows: Buffer.concat([...result.rows.map(dataRow), complete(result), ready]),
  }
  const prototype = pg.Connection.prototype as unknown as Connectable
  const { connect } = prototype
  prototype.connect = function (port, host) {
    this.stream = new MemorySocket(answer)
    connect.call(this, port, host)
  }
  return () => {
    prototype.connect = connect
  }
}

interface Answer {
  readonly description: Buffer
  readonly rows: Buffer
}

/** What the types of node-postgres leave out. */
interface Connectable {
  stream: unknown
  connect(this: Connectable, port: number, host: string): void
}

/** As much of a socket as node-postgres uses. */
class MemorySocket extends EventEmitter {
  writable = true
  readonly #answer: Answer
  #started = false
  #parsed = false
  #described = false

  constructor(answer: Answer) {
    super()
    this.#answer = answer
  }

  connect(): void {
    setImmediate(() => this.emit('connect'))
  }

  write(message: Buffer, done?: () => void): boolean {
    if (this.#started) {
      for (let at = 0; at < message.length; at += 1 + message.readInt32BE(at + 1))
        this.#take(message[at] ?? 0)
    } else {
      // The startup message is the only one without a type.
      this.#started = true
      this.#send(Buffer.concat([framed('R', int32(0)), ready]))
    }
    done?.()
    return true
  }

  /** One message; several may be written at once. */
  #take(code: number): void {
    const type = String.fromCharCode(code)
    const { description, rows } = this.#answer
    if (type === 'P') this.#parsed = true
    else if (type === 'D') this.#described = true
    else if (type === 'Q') this.#send(Buffer.concat([description, rows]))
    else if (type === 'S') {
      const parsed = this.#parsed ? [framed('1')] : []
      const described = this.#described ? [description] : []
      this.#send(Buffer.concat([...parsed, framed('2'), ...described, rows]))
      this.#parsed = false
      this.#described = false
    }
  }

  end(): void {
    this.destroy()
  }

  destroy(): this {
    if (this.writable) setImmediate(() => this.emit('close'))
    this.writable = false
    return this
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}
  cork(): void {}
  uncork(): void {}

  #send(bytes: Buffer): void {
    // In a later turn of the event loop, as from a network.
    setImmediate(() => this.emit('data', bytes))
  }
}

const ready = framed('Z', Buffer.from('I'))

function rowDescription({ columns }: MemoryResult): Buffer {
  const fields = columns.flatMap(({ name, typeOid }) => [
    text(name),
    int32(0), // table
    int16(0), // column
    int32(typeOid),
    int16(-1), // size of the type
    int32(-1), // modifier
    int16(0), // text format
  ])
  return framed('T', int16(columns.length), ...fields)
}

function dataRow(values: readonly string[]): Buffer {
  const fields = values.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)])
  return framed('D', int16(values.length), ...fields)
}

function complete({ rows }: MemoryResult): Buffer {
  return framed('C', text(`SELECT ${rows.length}`))
}

function framed(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts)
  return Buffer.concat([Buffer.from(type), int32(body.length + 4), body])
}

function text(value: string): Buffer {
  return Buffer.from(`${value}\0`)
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
