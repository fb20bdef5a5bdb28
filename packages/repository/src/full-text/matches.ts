import { type DatabaseLike, type DbError, isDbError } from '@org/db-core'
import type { Access } from '../access.ts'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'
import { byPrimaryKey } from '../row-key.ts'
import { tableOf } from '../table.ts'
import { isText } from './column.ts'
import type { Condition } from './conditions.ts'

/** What the column's index knows. */
export interface Index {
  /** Ids by rank, as texts of the columns of the key. */
  matches(query: Words, wanted: Wanted): Promise<readonly Match[]>
  /** The marked passages of these rows, in the order of `keys`. */
  highlights(
    query: Words,
    keys: readonly Match[],
  ): Promise<readonly Readonly<Record<string, string | null>>[]>
}

/** What is looked for. */
export interface Words {
  readonly query: string
  readonly language?: string | undefined
}

/** Which of the rows that hold the words. */
export interface Wanted {
  readonly conditions: readonly Condition[]
  /** The match behind which to begin. */
  readonly behind: Match | undefined
  readonly limit: number
}

/** One row that holds the words. */
export interface Match {
  /** The values of the primary key's columns as text. */
  readonly key: readonly string[]
  readonly rank: number
}

interface Setup {
  readonly column?: string
  readonly language?: string
  readonly highlight?: readonly string[]
}

/** Characters that no text for people holds; the marks that go to HTML come after escaping. */
const [start, stop] = ['\u{E000}', '\u{E001}']
const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  [start]: '<mark>',
  [stop]: '</mark>',
}

const headline = `StartSel=${start},StopSel=${stop},MaxFragments=2,ShortWord=0,FragmentDelimiter=" … "`

/** The SQL of one `tsvector` column. */
export function createIndex(
  access: Access,
  { column = 'search', language = 'english', highlight = [] }: Setup,
): Index {
  const { model, database } = checked(access)
  const columnOf = (field: string): string => {
    const found = Object.hasOwn(model.fields, field) ? model.fields[field]?.column : undefined
    if (found !== undefined) return `t.${identifier(found)}`
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `${access.model} has no column for ${field}`)
  }
  const textColumnOf = (field: string): string => {
    const name = columnOf(field)
    if (isText(model.fields[field])) return name
    throw new RepositoryError('DB_REPOSITORY_CONFIG', `${access.model}.${field} is no text to mark words in`)
  }
  const table = tableOf(model, database)
  const keys = byPrimaryKey(access).key.fields.map(columnOf)
  const names = keys.map((key, at) => `${key}::text AS k${at}`).join(', ')
  const vector = `t.${identifier(column)}`
  const words = 'websearch_to_tsquery($1::regconfig, $2)'
  const rank = `ts_rank_cd(${vector}, q, 32)`
  // By rank and key rather than by their number: rows that come meanwhile shift nothing.
  const isBehind = `(${rank} < $4::real OR (${rank} = $4::real AND (${keys.join(', ')}) > (${keys.map((_, at) => `$${at + 5}`).join(', ')})))`
  const passages = highlight
    .map(textColumnOf)
    .map((text, at) => `ts_headline($1::regconfig, ${text}, q, $3) AS h${at}`)
    .join(', ')

  const ask = (text: string, { query, language: own = language }: Words, values: readonly unknown[]) =>
    database.sql
      // A zero byte ends a text; it is no part of a word.
      .query(text, [own, query.replaceAll('\0', ' '), ...values])
      .catch((error: unknown) => {
        throw isDbError(error) && Reflect.get(error, 'sqlState') === undefinedColumn
          ? missingColumn(access.model, column, error)
          : error
      })

  return {
    async matches(query, { conditions, behind, limit }) {
      const values: unknown[] = [limit, ...(behind ? [behind.rank, ...behind.key] : [])]
      const further = conditions.map(({ column: name, text }) =>
        text === null ? `t.${identifier(name)} IS NULL` : `t.${identifier(name)} = $${values.push(text) + 2}`,
      )
      const all = [`${vector} @@ q`, ...(behind ? [isBehind] : []), ...further]
      const rows = await ask(
        `SELECT ${names}, ${rank} AS rank FROM ${table} AS t, ${words} AS q
         WHERE ${all.join(' AND ')} ORDER BY rank DESC, ${keys.join(', ')} LIMIT $3`,
        query,
        values,
      )
      return rows.map((row) => ({ key: keys.map((_, at) => String(row[`k${at}`])), rank: Number(row.rank) }))
    },
    async highlights(query, found) {
      if (highlight.length === 0 || found.length === 0) return found.map(() => ({}))
      // Each parameter takes the type of its column, so that the key's index serves.
      const wanted = keys.map((key, at) => `${key} = ANY($${at + 4})`)
      const rows = await ask(
        `SELECT ${names}, ${passages} FROM ${table} AS t, ${words} AS q WHERE ${wanted.join(' AND ')}`,
        query,
        [headline, ...keys.map((_, at) => found.map(({ key }) => key[at]))],
      )
      const byKey = new Map(
        rows.map((row) => [JSON.stringify(keys.map((_, at) => String(row[`k${at}`]))), row]),
      )
      return found.map(({ key }) => {
        const row = byKey.get(JSON.stringify(key))
        return Object.fromEntries(highlight.map((field, place) => [field, toHtml(row?.[`h${place}`])]))
      })
    },
  }
}

/** The SQLSTATE. */
const undefinedColumn = '42703'

function missingColumn(model: string, column: string, cause: DbError): RepositoryError {
  const message = `The table of ${model} has no column ${column} to look for words in: fullTextColumn writes the SQL that adds it`
  return new RepositoryError('DB_REPOSITORY_CONFIG', message, { cause })
}

function toHtml(text: unknown): string | null {
  return typeof text === 'string'
    ? text.replaceAll(/[&<>"'\u{E000}\u{E001}]/gu, (found) => escapes[found] ?? found)
    : null
}

function checked({ binding, model: name }: Access): {
  readonly model: NonNullable<Access['binding']['modelMetadata']>
  readonly database: DatabaseLike
} {
  const { modelMetadata: model, database } = binding
  if (model && database) return { model, database }
  throw new RepositoryError(
    'DB_REPOSITORY_CONFIG',
    `Full-text search in ${name} needs a Database with metadata`,
  )
}
