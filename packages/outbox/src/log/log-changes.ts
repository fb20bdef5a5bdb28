import type { SqlExecutor } from '@org/db-core'
import type { CapturedModel } from '../captured-models.ts'
import { truncatePrefix } from './log-sql.ts'
import type { LogMessage, LogRelation, LogRow } from './pgoutput.ts'

/** One change of one row, with its rows as JSON by column. */
export interface LogChange {
  readonly model: CapturedModel
  readonly op: 'c' | 'u' | 'd'
  readonly row: string | null
  readonly old: string | null
}

/** A change and when it was committed. */
export interface StoredChange {
  readonly change: LogChange
  readonly atMs: number
}

/** The models that are captured from the log, by their quoted tables. */
export type LogModels = ReadonlyMap<string, CapturedModel>

export function logModels(models: readonly CapturedModel[]): LogModels {
  return new Map(models.map((model) => [model.rows.table, model]))
}

/** What a message means for the feed: nothing, one change, or two where the key was changed. */
export function changesOf(message: LogMessage, models: LogModels): readonly LogChange[] {
  if (message.kind === 'message') return truncated(message.prefix, message.content, models)
  if (message.kind !== 'insert' && message.kind !== 'update' && message.kind !== 'delete') return []
  const { kind, relation, old, row } = message
  const model = models.get(quoted(relation))
  if (!model) return []
  if (kind === 'insert' && row) return [{ model, op: 'c', row: toJson(row, relation), old: null }]
  if (kind === 'delete' && old) return [{ model, op: 'd', row: null, old: toJson(old, relation) }]
  if (!row || !old) return []
  const whole = new Map([...old, ...row])
  const isChanged = (column: string): boolean => whole.get(column) !== old.get(column)
  if (![...whole.keys()].some(isChanged)) return []
  const next = toJson(whole, relation)
  const before = toJson(old, relation)
  // A row with another key is another row.
  if (idColumns(model).some(isChanged)) {
    return [
      { model, op: 'd', row: null, old: before },
      { model, op: 'c', row: next, old: null },
    ]
  }
  return [{ model, op: 'u', row: next, old: before }]
}

/** Stores changes in their order, model by model: the order of one key is kept. */
export async function insertChanges(sql: SqlExecutor, changes: readonly StoredChange[]): Promise<void> {
  const byModel = new Map<CapturedModel, StoredChange[]>()
  for (const each of changes) {
    const some = byModel.get(each.change.model)
    if (some) some.push(each)
    else byModel.set(each.change.model, [each])
  }
  for (const [{ rows, before }, some] of byModel) {
    await sql.query(
      `INSERT INTO orgdb.outbox (topic, key, op, payload, before, at)
       SELECT $1, CASE WHEN e.op = 'd' THEN ${rows.key('o')} ELSE ${rows.key('r')} END, e.op,
         CASE WHEN e.op <> 'd' THEN ${rows.row('r')} END,
         CASE WHEN e.op = 'd' OR (e.op = 'u' AND $2) THEN ${rows.row('o')} END,
         to_timestamp(e.at_ms / 1000)
       FROM unnest($3::text[], $4::text[], $5::text[], $6::float8[]) WITH ORDINALITY AS e(op, row, old, at_ms, n)
       CROSS JOIN LATERAL json_populate_record(NULL::${rows.table}, e.row::json) r
       CROSS JOIN LATERAL json_populate_record(NULL::${rows.table}, e.old::json) o
       ORDER BY e.n`,
      [
        rows.model,
        before,
        some.map(({ change }) => change.op),
        some.map(({ change }) => change.row),
        some.map(({ change }) => change.old),
        some.map(({ atMs }) => atMs),
      ],
    )
  }
}

function truncated(prefix: string, content: string, models: LogModels): readonly LogChange[] {
  if (prefix !== truncatePrefix) return []
  // The table's name, then the row, which is not parsed: numbers would lose digits.
  const end = content.indexOf('\n')
  const [schema, table] = JSON.parse(content.slice(0, end)) as readonly [string, string]
  const model = models.get(quoted({ schema, table }))
  return model ? [{ model, op: 'd', row: null, old: content.slice(end + 1) }] : []
}

const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`
const quoted = ({ schema, table }: Pick<LogRelation, 'schema' | 'table'>): string =>
  `${quote(schema)}.${quote(table)}`

function idColumns({ rows: { metadata } }: CapturedModel): readonly string[] {
  return metadata.id.map((field) => metadata.fields[field]?.column ?? field)
}

const jsonTypes: readonly number[] = [114, 3802]

/** Each value as the text that PostgreSQL wrote, which its input functions read back; JSON as it is. */
function toJson(row: LogRow, { columns }: LogRelation): string {
  const parts: string[] = []
  for (const { name, typeId } of columns) {
    const text = row.get(name)
    if (text === undefined || text === null) continue
    parts.push(`${JSON.stringify(name)}:${jsonTypes.includes(typeId) ? text : JSON.stringify(text)}`)
  }
  return `{${parts.join(',')}}`
}
