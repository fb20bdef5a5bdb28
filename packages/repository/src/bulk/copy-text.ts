import type { RowGroup } from './rows.ts'

const special = /[\\\n\r\t]/
const specials = /[\\\n\r\t]/g
const escapes: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\r': '\\r', '\t': '\\t' }
const chunkLength = 65_536

/**
 * Rows in the text format of COPY, made while the server reads those before them:
 * https://www.postgresql.org/docs/current/sql-copy.html#id-1.9.3.55.9.2
 */
export function* copyChunks({ columns, texts, places }: RowGroup): Generator<Buffer> {
  const lists = columns.map(({ isPlain }, index) => ({ isPlain, list: texts[index] ?? [] }))
  let text = ''
  for (let row = 0; row < places.length; row++) {
    for (let index = 0; index < lists.length; index++) {
      const { list, isPlain } = lists[index] as (typeof lists)[number]
      const value = list[row]
      if (index > 0) text += '\t'
      if (value === null || value === undefined) text += '\\N'
      else if (isPlain || !special.test(value)) text += value
      else text += value.replaceAll(specials, (found) => escapes[found] ?? found)
    }
    text += '\n'
    if (text.length >= chunkLength) {
      yield Buffer.from(text)
      text = ''
    }
  }
  if (text !== '') yield Buffer.from(text)
}
