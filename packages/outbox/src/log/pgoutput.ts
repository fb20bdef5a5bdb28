import type { Lsn } from './lsn.ts'

/*
 * Messages of the output plugin `pgoutput`, protocol version 1:
 * https://www.postgresql.org/docs/current/protocol-logicalrep-message-formats.html
 * Values stay the texts that PostgreSQL wrote, so that PostgreSQL can read them again without loss.
 */

/** A table as the log describes it. */
export interface LogRelation {
  readonly schema: string
  readonly table: string
  readonly columns: readonly { readonly name: string; readonly typeId: number }[]
}

/** By column, `null` for NULL; absent when the log does not hold it, because it is large and was not changed. */
export type LogRow = ReadonlyMap<string, string | null>

export type LogMessage =
  | { readonly kind: 'begin'; readonly lsn: Lsn; readonly atMs: number }
  | { readonly kind: 'commit'; readonly end: Lsn }
  | {
      readonly kind: 'insert' | 'update' | 'delete'
      readonly relation: LogRelation
      readonly old: LogRow | undefined
      readonly row: LogRow | undefined
    }
  | { readonly kind: 'message'; readonly prefix: string; readonly content: string }
  | { readonly kind: 'other' }

/** 2000-01-01, from which PostgreSQL counts. */
const epochMs = 946_684_800_000

const other: LogMessage = { kind: 'other' }

/** Reads messages; remembers the tables that they refer to by number. */
export function createPgoutputReader(): (data: Buffer) => LogMessage {
  const relations = new Map<number, LogRelation>()

  return (data) => {
    const reader = new Reader(data)
    switch (reader.letter()) {
      case 'B':
        return { kind: 'begin', lsn: reader.int64(), atMs: Number(reader.int64() / 1_000n) + epochMs }
      case 'C':
        reader.skip(1 + 8)
        return { kind: 'commit', end: reader.int64() }
      case 'R':
        relations.set(reader.int32(), readRelation(reader))
        return other
      case 'I':
        return change('insert', reader)
      case 'U':
        return change('update', reader)
      case 'D':
        return change('delete', reader)
      case 'M': {
        reader.skip(1 + 8)
        const prefix = reader.text()
        return { kind: 'message', prefix, content: reader.string(reader.int32()) }
      }
      default:
        return other
    }
  }

  function change(kind: 'insert' | 'update' | 'delete', reader: Reader): LogMessage {
    const relation = relations.get(reader.int32())
    if (!relation) throw new Error('The log names a table that it has not described')
    let old: LogRow | undefined
    let row: LogRow | undefined
    while (!reader.isDone) {
      if (reader.letter() === 'N') row = readRow(reader, relation)
      else old = readRow(reader, relation)
    }
    return { kind, relation, old, row }
  }
}

function readRelation(reader: Reader): LogRelation {
  const schema = reader.text()
  const table = reader.text()
  reader.skip(1)
  const columns = Array.from({ length: reader.int16() }, () => {
    reader.skip(1)
    const name = reader.text()
    const typeId = reader.int32()
    reader.skip(4)
    return { name, typeId }
  })
  // The schema of system tables is empty.
  return { schema: schema || 'pg_catalog', table, columns }
}

function readRow(reader: Reader, { columns }: LogRelation): LogRow {
  const row = new Map<string, string | null>()
  const count = reader.int16()
  for (let index = 0; index < count; index += 1) {
    const name = columns[index]?.name ?? ''
    const letter = reader.letter()
    if (letter === 'n') row.set(name, null)
    else if (letter === 't') row.set(name, reader.string(reader.int32()))
  }
  return row
}

class Reader {
  readonly #data: Buffer
  #at = 0

  constructor(data: Buffer) {
    this.#data = data
  }

  get isDone(): boolean {
    return this.#at >= this.#data.length
  }

  skip(bytes: number): void {
    this.#at += bytes
  }

  letter(): string {
    return String.fromCharCode(this.#data.readUInt8(this.#at++))
  }

  int16(): number {
    this.#at += 2
    return this.#data.readUInt16BE(this.#at - 2)
  }

  int32(): number {
    this.#at += 4
    return this.#data.readUInt32BE(this.#at - 4)
  }

  int64(): bigint {
    this.#at += 8
    return this.#data.readBigUInt64BE(this.#at - 8)
  }

  string(bytes: number): string {
    this.#at += bytes
    return this.#data.toString('utf8', this.#at - bytes, this.#at)
  }

  /** Ends with a zero byte. */
  text(): string {
    const end = this.#data.indexOf(0, this.#at)
    const text = this.#data.toString('utf8', this.#at, end)
    this.#at = end + 1
    return text
  }
}
