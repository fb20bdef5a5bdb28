/** What is sent for one run of a statement. */
export interface Run {
  readonly text: string
  /** Empty for a statement without a name. */
  readonly name: string
  readonly values: readonly string[]
  /** Whether the connection does not know the statement yet. */
  readonly parse: boolean
  /** Whether the server is to tell the types of the columns. */
  readonly describe: boolean
  /** Settings that hold for this statement alone. */
  readonly settings: readonly (readonly [name: string, value: string])[] | undefined
}

/**
 * All messages of one run as they go over the wire, in one piece: Parse, settings, Bind, Describe, Execute, Sync. Until
 * Sync the server treats them as one transaction, so the settings end with the statement.
 * https://www.postgresql.org/docs/current/protocol-message-formats.html
 */
export function runMessages(run: Run): Buffer {
  const { text, name, values, settings } = run
  const buffer = Buffer.allocUnsafe(sizeOf(run))
  let at = 0
  if (run.parse) at = writeParse(buffer, at, name, text)
  if (settings) {
    const calls = settings.map((_, index) => `set_config($${index * 2 + 1}, $${index * 2 + 2}, true)`)
    at = writeParse(buffer, at, '', `SELECT ${calls.join(', ')}`)
    at = writeBind(buffer, at, '', settings.flat())
    at += executeMessage.copy(buffer, at)
    // The unnamed statement is the settings' now.
    if (name === '') at = writeParse(buffer, at, '', text)
  }
  at = writeBind(buffer, at, name, values)
  if (run.describe) at += describeMessage.copy(buffer, at)
  at += executeMessage.copy(buffer, at)
  at += syncMessage.copy(buffer, at)
  return buffer.subarray(0, at)
}

const executeMessage = Buffer.from([0x45, 0, 0, 0, 9, 0, 0, 0, 0, 0])
const syncMessage = Buffer.from([0x53, 0, 0, 0, 4])
/** Of the unnamed portal. */
const describeMessage = Buffer.from([0x44, 0, 0, 0, 6, 0x50, 0])

/** At most so many bytes: a UTF-16 unit takes no more than three. */
function sizeOf({ text, name, values, parse, settings }: Run): number {
  let size = 64 + name.length
  if (parse || settings) size += 2 * (text.length * 3 + name.length + 16)
  for (const value of values) size += 4 + value.length * 3
  for (const [setting, value] of settings ?? []) size += 96 + (setting.length + value.length) * 3
  return size
}

function writeParse(buffer: Buffer, start: number, name: string, text: string): number {
  buffer[start] = 0x50
  let at = start + 5
  at += buffer.write(name, at)
  buffer[at++] = 0
  at += buffer.write(text, at)
  buffer[at++] = 0
  // No types: the server finds them out.
  buffer[at++] = 0
  buffer[at++] = 0
  buffer.writeInt32BE(at - start - 1, start + 1)
  return at
}

function writeBind(buffer: Buffer, start: number, name: string, values: readonly string[]): number {
  buffer[start] = 0x42
  let at = start + 5
  buffer[at++] = 0
  at += buffer.write(name, at)
  buffer[at++] = 0
  // All parameters are text.
  buffer[at++] = 0
  buffer[at++] = 0
  at = buffer.writeInt16BE(values.length, at)
  for (let index = 0; index < values.length; index++) {
    const length = buffer.write(values[index] as string, at + 4)
    buffer.writeInt32BE(length, at)
    at += 4 + length
  }
  // So are all results.
  buffer[at++] = 0
  buffer[at++] = 0
  buffer.writeInt32BE(at - start - 1, start + 1)
  return at
}
