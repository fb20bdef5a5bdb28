import { createHash } from 'node:crypto'
import type {
  ConstraintMetadata,
  FieldDefault,
  FieldMetadata,
  ModelMetadata,
  SchemaMetadata,
} from '../metadata.ts'
import type { Datamodel, DmmfEnum, DmmfField, DmmfModel } from './dmmf.ts'
import { decimalDefaults, enumSchemas } from './schema-text.ts'

/** Turns Prisma's DMMF into what the packages read. `schema` is the schema's text, of which the hash is kept. */
export function toMetadata(datamodel: Datamodel, schema: string): SchemaMetadata {
  const decimals = decimalDefaults(schema)
  return {
    schemaHash: createHash('sha256').update(schema).digest('hex').slice(0, 16),
    models: Object.fromEntries(datamodel.models.map((model) => [model.name, toModel(model, decimals)])),
    enums: Object.fromEntries(
      datamodel.enums.map(({ name, values }) => [name, values.map((value) => value.name)]),
    ),
    ...renamed('mappedEnums', datamodel.enums.map(mappedValues)),
    ...renamed(
      'enumTypes',
      datamodel.enums.map(({ name, dbName }) => (dbName ? [name, dbName] : undefined)),
    ),
    ...renamed('enumSchemas', Object.entries(enumSchemas(schema))),
    constraints: toConstraints(datamodel),
  }
}

type Entry = readonly [string, unknown] | undefined
type Decimals = ReturnType<typeof decimalDefaults>

/** `{ [key]: … }` of the entries that there are, or nothing. */
function renamed(key: string, entries: readonly Entry[]): object {
  const found = entries.filter((entry) => entry !== undefined)
  return found.length === 0 ? {} : { [key]: Object.fromEntries(found) }
}

function mappedValues({ name, values }: DmmfEnum): Entry {
  if (values.every((value) => !value.dbName)) return undefined
  return [name, Object.fromEntries(values.map((value) => [value.dbName ?? value.name, value.name]))]
}

function toModel(model: DmmfModel, decimals: Decimals): ModelMetadata {
  const { id, idName } = keyOf(model)
  const singles = model.fields.filter((field) => field.isUnique).map((field) => [field.name])
  return {
    delegate: model.name.charAt(0).toLowerCase() + model.name.slice(1),
    table: tableOf(model),
    ...(model.schema && { schema: model.schema }),
    id,
    idName,
    uniques: distinct([id, ...singles, ...model.uniqueFields]),
    fields: Object.fromEntries(
      model.fields.map((field) => [field.name, toField(field, decimals.get(`${model.name}.${field.name}`))]),
    ),
    ...(model.documentation !== undefined && { documentation: model.documentation }),
  }
}

/** What identifies a row: the primary key, or the first unique without nulls where there is none. */
function keyOf(model: DmmfModel): { readonly id: readonly string[]; readonly idName: string } {
  const { primaryKey } = model
  const compound = primaryKey ?? undefined
  const required = model.fields.filter((field) => field.isRequired)
  const single =
    model.fields.find((field) => field.isId) ??
    (compound ? undefined : required.find((field) => field.isUnique))
  if (single) return { id: [single.name], idName: single.name }
  const names = new Set(required.map(({ name }) => name))
  const key = compound ?? model.uniqueIndexes.find(({ fields }) => fields.every((name) => names.has(name)))
  const fields = key?.fields ?? []
  return { id: fields, idName: key?.name ?? fields.join('_') }
}

function toField(field: DmmfField, exactDefault: unknown): FieldMetadata {
  const annotations = annotationsOf(field.documentation)
  const relation =
    field.kind === 'object' && field.relationFromFields?.length ? field.relationFromFields : undefined
  return {
    kind: field.kind === 'object' ? 'relation' : field.kind,
    type: field.type,
    ...(field.kind !== 'object' && { column: field.dbName ?? field.name }),
    isList: field.isList,
    isRequired: field.isRequired,
    hasDefault: field.hasDefaultValue,
    ...(field.default !== undefined && { default: toDefault(exactDefault ?? field.default) }),
    isUpdatedAt: field.isUpdatedAt ?? false,
    ...(field.nativeType && { nativeType: field.nativeType }),
    ...(field.kind === 'object' && field.relationName !== undefined && { relationName: field.relationName }),
    ...(relation && {
      relation: {
        name: field.relationName ?? '',
        fields: relation,
        references: field.relationToFields ?? [],
        ...(field.relationOnDelete !== undefined && { onDelete: field.relationOnDelete }),
      },
    }),
    ...(field.documentation !== undefined && { documentation: field.documentation }),
    ...(annotations && { annotations }),
  }
}

function toDefault(given: unknown): FieldDefault {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return { value: given }
  const { name, args } = given as { readonly name: string; readonly args: readonly unknown[] }
  return { function: name, args }
}

/** `@encrypted @pii(email)` → `{ encrypted: true, pii: 'email' }` */
function annotationsOf(
  documentation: string | undefined,
): Readonly<Record<string, string | true>> | undefined {
  const found = [...(documentation ?? '').matchAll(/(?:^|\s)@([a-zA-Z][\w-]*)(?:\(([^)]*)\))?/g)]
  if (found.length === 0) return undefined
  return Object.fromEntries(found.map(([, name, argument]) => [name, argument ?? true]))
}

function toConstraints(datamodel: Datamodel): Readonly<Record<string, ConstraintMetadata>> {
  const models = new Map(datamodel.models.map((model) => [model.name, model]))
  const entries: [string, ConstraintMetadata][] = []
  for (const index of datamodel.indexes) {
    const model = models.get(index.model)
    if (!model || (index.type !== 'id' && index.type !== 'unique')) continue
    const fields = index.fields.map((field) => field.name)
    const name =
      index.dbName ?? (index.type === 'id' ? clip(tableOf(model), '_pkey') : nameOf(model, fields, '_key'))
    entries.push([name, { model: model.name, kind: index.type === 'id' ? 'primary-key' : 'unique', fields }])
  }
  for (const model of datamodel.models) {
    for (const { relationFromFields: fields } of model.fields) {
      if (!fields?.length) continue
      entries.push([nameOf(model, fields, '_fkey'), { model: model.name, kind: 'foreign-key', fields }])
    }
  }
  return Object.fromEntries(entries)
}

/** Prisma's default names: https://www.prisma.io/docs/orm/prisma-schema/data-model/database-mapping */
function nameOf(model: DmmfModel, fields: readonly string[], suffix: string): string {
  const columns = fields.map((name) => model.fields.find((field) => field.name === name)?.dbName ?? name)
  return clip([tableOf(model), ...columns].join('_'), suffix)
}

/** PostgreSQL's identifiers end after 63 bytes; Prisma shortens what stands before the suffix. */
function clip(name: string, suffix: string): string {
  return (
    Buffer.from(name)
      .subarray(0, 63 - suffix.length)
      .toString() + suffix
  )
}

function tableOf(model: DmmfModel): string {
  return model.dbName ?? model.name
}

function distinct(lists: readonly (readonly string[])[]): readonly (readonly string[])[] {
  return [...new Map(lists.filter((list) => list.length > 0).map((list) => [list.join('\n'), list])).values()]
}
