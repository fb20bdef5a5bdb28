import {
  type FieldMetadata,
  type ModelMetadata,
  modelsOf,
  type Operation,
  type SchemaMetadata,
} from '@org/db-core'

// Three kinds of tags. `Film`: anything in the table changed. `Film*`: rows changed, and it is not known which.
// `Film#7`: this row changed. A lookup by primary key depends on the last two, every other read on the first.
// A change of a known row moves the first and the third, any other change the first two.

/** The tag of every change of a model. */
export const anyChange = (model: string): string => model
/** The tag of changes of rows that are not known. */
const bulkChange = (model: string): string => `${model}*`

type Args = Readonly<Record<string, unknown>>

/** What a read depends on. */
export function tagsOfRead(operation: Operation, metadata: SchemaMetadata): readonly string[] {
  const { model = '', action } = operation
  const args = asArgs(operation.args)
  const isOne = action.startsWith('find') && args.cursor === undefined
  const row = isOne ? rowTag(model, args.where, metadata) : undefined
  if (row !== undefined && !readsRelations(args, metadata.models[model])) return [row, bulkChange(model)]
  return [...modelsRead({ model, args }, metadata)].map(anyChange)
}

/** Every model that a read looks at. */
export function modelsRead(
  { model, args }: { readonly model: string; readonly args: unknown },
  metadata: SchemaMetadata,
): ReadonlySet<string> {
  const models = new Set(modelsOf({ model, args }, metadata))
  if (!countsAll(args)) return models
  // `_count: true` counts every list of the model that it stands in, without naming one.
  for (const each of [...models])
    for (const related of relationsOf(metadata.models[each])) models.add(related)
  return models
}

/** What a write voids. Its result says which row it was, where the arguments don't. */
export function tagsOfWrite(
  operation: Operation,
  { metadata, result }: { readonly metadata: SchemaMetadata; readonly result?: unknown },
): ReadonlySet<string> {
  const { model = '', action } = operation
  const { data, create, update, where } = asArgs(operation.args)
  const written = { data, create, update }
  const touched = new Set(modelsOf({ model, args: written }, metadata))
  const isNested = [data, create, update].some((each) => writesRelations(each, metadata.models[model]))
  const isDelete = action.startsWith('delete')
  // Nested writes can delete too, and a changed key changes the rows that refer to it.
  const spreads = isDelete || isNested || changesKey(written, model, metadata)
  if (spreads) addDependents(touched, metadata)
  const tags = new Set<string>()
  // What spreads from a row may come back to others of its own table: to its children in a tree.
  const isOneRow = !isNested && !(spreads && refersTo(touched, metadata.models[model]))
  const row = isOneRow ? writtenRow({ model, action, where, written, result }, metadata) : undefined
  for (const each of touched) {
    tags.add(anyChange(each))
    if (each !== model || row === undefined) tags.add(bulkChange(each))
    else tags.add(row)
  }
  return tags
}

/** What voids everything that is known of the models. */
export function tagsOfModels(models: Iterable<string>): readonly string[] {
  return [...models].flatMap((model) => [anyChange(model), bulkChange(model)])
}

interface Written {
  readonly model: string
  readonly action: string
  readonly where: unknown
  readonly written: Args
  readonly result: unknown
}

const rowActions: ReadonlySet<string> = new Set(['create', 'update', 'upsert', 'delete'])

function writtenRow(write: Written, metadata: SchemaMetadata): string | undefined {
  const { model, action, where, written, result } = write
  if (
    !rowActions.has(action) ||
    changesKey(
      { update: written.update, data: action === 'update' ? written.data : undefined },
      model,
      metadata,
    )
  )
    return undefined
  const ids = metadata.models[model]?.id ?? []
  const found = asArgs(result)
  if (ids.length > 0 && ids.every((id) => found[id] !== undefined))
    return tagOfId(
      model,
      ids.map((id) => found[id]),
    )
  return action === 'update' || action === 'delete' ? rowTag(model, where, metadata) : undefined
}

/** The tag of the row that `where` names by its primary key, with conditions on the row's own columns at most. */
function rowTag(model: string, where: unknown, metadata: SchemaMetadata): string | undefined {
  const { id = [], idName = '', fields: columns = {} } = metadata.models[model] ?? {}
  const given = asArgs(where)
  const isOwn = (key: string): boolean => key === idName || isColumn(columns[key])
  if (id.length === 0 || Object.keys(given).some((key) => !isOwn(key) && given[key] !== undefined))
    return undefined
  const fields = id.length === 1 ? given : asArgs(given[idName])
  const values = id.map((field) => fields[field])
  return values.includes(undefined) ? undefined : tagOfId(model, values)
}

function tagOfId(model: string, values: readonly unknown[]): string | undefined {
  // A filter such as `{ equals: 7 }` names no row, and what the server makes of a `Date` or decimal is its business.
  if (values.some((value) => typeof value === 'object')) return undefined
  // The server takes a UUID in several spellings and ignores blanks at the end of a `char`: one tag for all of them.
  return `${model}#${values
    .map((value) =>
      String(value)
        .toLowerCase()
        .replace(/[-{}\s]/g, ''),
    )
    .join()}`
}

function readsRelations(args: Args, model: ModelMetadata | undefined): boolean {
  return [args.select, args.include].some((part) =>
    Object.entries(asArgs(part)).some(([field, value]) => value && !isColumn(model?.fields[field])),
  )
}

function isColumn(field: FieldMetadata | undefined): boolean {
  return field?.kind === 'scalar' || field?.kind === 'enum'
}

function writesRelations(data: unknown, model: ModelMetadata | undefined): boolean {
  if (Array.isArray(data)) return data.some((each) => writesRelations(each, model))
  return Object.keys(asArgs(data)).some((field) => model?.fields[field]?.kind === 'relation')
}

/** Whether a write sets a field that other tables refer to, or that tells rows apart. */
function changesKey(written: Args, model: string, metadata: SchemaMetadata): boolean {
  const keys = new Set(metadata.models[model]?.id)
  for (const { fields } of Object.values(metadata.models)) {
    for (const { type, relation } of Object.values(fields)) {
      if (type === model) for (const field of relation?.references ?? []) keys.add(field)
    }
  }
  return [written.data, written.update].some((data) =>
    Object.keys(asArgs(data)).some((field) => keys.has(field)),
  )
}

/** Adds the models whose rows the database itself changes when a row that they refer to goes or gets another key. */
function addDependents(models: Set<string>, metadata: SchemaMetadata): void {
  // A set hands out what is added to it while it is walked over.
  for (const referred of models) {
    for (const [name, { fields }] of Object.entries(metadata.models)) {
      if (Object.values(fields).some(({ type, relation }) => relation && type === referred)) models.add(name)
    }
  }
}

/** Whether rows of the model refer to rows of one of the others, or of itself. */
function refersTo(others: ReadonlySet<string>, model: ModelMetadata | undefined): boolean {
  return Object.values(model?.fields ?? {}).some(({ type, relation }) => relation && others.has(type))
}

function relationsOf(model: ModelMetadata | undefined): readonly string[] {
  return Object.values(model?.fields ?? {}).flatMap(({ kind, type }) => (kind === 'relation' ? [type] : []))
}

function countsAll(args: unknown): boolean {
  if (typeof args !== 'object' || args === null) return false
  return Object.entries(args).some(([key, value]) => (key === '_count' && value === true) || countsAll(value))
}

function asArgs(value: unknown): Args {
  return typeof value === 'object' && value !== null ? (value as Args) : {}
}
