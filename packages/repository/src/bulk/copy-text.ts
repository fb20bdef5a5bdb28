const special = /[\\\n\r\t]/
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const chunkLength = 65_536

/** Rows in the text format of COPY: https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2 */
export function copyChunks(texts: readonly (readonly (string | null | undefined)[])[]): readonly Buffer[] {
  const rows = texts[0]?.length ?? 0
  const chunks: Buffer[] = []
  let text = ''
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < texts.length; column++) {
      const value = texts[column]?.[row]
      if (column > 0) text += '\t'
      if (value === null || value === undefined) text += '\\N'
      else
        text += special.test(value)
          ? value.replaceAll(/[\\\n\r\t]/g, (found) => escapes[found] ?? found)
          : value
    }
    text += '\n'
    if (text.length >= chunkLength) {
      chunks.push(Buffer.from(text))
      text = ''
    }
  }
  if (text !== '') chunks.push(Buffer.from(text))
  return chunks
}
