/**
 * Where the columns of one row begin in bytes that hold until it returns. Each is a length of four bytes, -1 for a
 * null, and so many bytes of text. https://www.postgresql.org/docs/current/protocol-message-formats.html, DataRow
 */
export type TakeRow = (bytes: Buffer, at: number) => void

/** A signed number of four bytes. `Buffer`'s own method checks its arguments, which costs more than the reading. */
export function int32(bytes: Buffer, at: number): number {
  return (
    ((bytes[at] as number) << 24) |
    ((bytes[at + 1] as number) << 16) |
    ((bytes[at + 2] as number) << 8) |
    (bytes[at + 3] as number)
  )
}

/** Where the length of a column stands, counted from 0. */
export function columnAt(bytes: Buffer, start: number, column: number): number {
  let at = start
  for (let index = 0; index < column; index++) at += 4 + Math.max(0, int32(bytes, at))
  return at
}

/** The text of the column whose length stands there; `null` for a null. */
export function columnText(bytes: Buffer, at: number): string | null {
  const length = int32(bytes, at)
  return length < 0 ? null : bytes.toString('utf8', at + 4, at + 4 + length)
}

/** The texts of that column and of all behind it. */
export function columnTexts(bytes: Buffer, start: number, column: number): readonly (string | null)[] {
  const count = bytes.readInt16BE(start - 2)
  return Array.from({ length: Math.max(0, count - column) }, (_, index) =>
    columnText(bytes, columnAt(bytes, start, column + index)),
  )
}

/** The whole number that stands there as text, as the server writes it: nothing but digits. */
export function integerText(bytes: Buffer, from: number, to: number): number {
  const isNegative = bytes[from] === minus
  let value = 0
  for (let at = isNegative ? from + 1 : from; at < to; at++) value = value * 10 + (bytes[at] as number) - zero
  return isNegative ? -value : value
}

const [minus, zero] = [45, 48]

/** Hands on a row whose texts somebody else has read. */
export function takeTexts(texts: readonly (string | null)[], take: TakeRow): void {
  const columns = texts.map((text) => (text === null ? undefined : Buffer.from(text)))
  const bytes = Buffer.alloc(columns.reduce((size, column) => size + 4 + (column?.length ?? 0), 2))
  let at = bytes.writeInt16BE(columns.length, 0)
  for (const column of columns) {
    at = bytes.writeInt32BE(column?.length ?? -1, at)
    at += column?.copy(bytes, at) ?? 0
  }
  take(bytes, 2)
}
