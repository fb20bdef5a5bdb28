import type { FieldMetadata, SchemaMetadata } from '@org/db-core'

/** Which models are deleted softly, and by which fields. */
export interface SoftDeleteOptions {
  /** The field with the time of deletion, an optional DateTime: models that have it are deleted softly. Default `deletedAt`. */
  readonly field?: string
  /**
   * The field that all rows of one deletion share, an optional String. Models that others depend on need it, and
   * those that are deleted with others. Default `deletionId`.
   */
  readonly deletionField?: string
  /** Models with the field that are really deleted all the same. Default: none. */
  readonly except?: readonly string[]
}

/** A model that is deleted softly. */
export interface SoftModel {
  readonly name: string
  readonly delegate: string
  readonly field: string
  readonly deletionField: string | undefined
  /** The relations of other models to this one for which a deletion means something. */
  readonly dependents: readonly Dependent[]
  /** Its own relations by which it is deleted with others. */
  readonly owners: readonly Dependent[]
}

/** A foreign key to a model that is deleted softly. */
export interface Dependent {
  readonly model: string
  readonly delegate: string
  readonly relation: string
  readonly target: string
  readonly fields: readonly string[]
  /** The fields of `target` that these refer to. */
  readonly references: readonly string[]
  /** Those of the fields that can be null. */
  readonly nullable: readonly string[]
  readonly effect: 'cascade' | 'restrict' | 'set-null'
}

/** The models that are deleted softly. @throws TypeError for a schema that lacks a field */
export function softModels(
  metadata: SchemaMetadata,
  { field = 'deletedAt', deletionField = 'deletionId', except = [] }: SoftDeleteOptions,
): ReadonlyMap<string, SoftModel> {
  const unknown = except.find((name) => !Object.hasOwn(metadata.models, name))
  if (unknown !== undefined) throw new TypeError(`softDelete: there is no model ${unknown}`)
  const names = Object.keys(metadata.models).filter(
    (name) => !except.includes(name) && isMark(metadata.models[name]?.fields[field], name, field),
  )
  if (names.length === 0) throw new TypeError(`softDelete: no model has a field ${field}`)
  const dependents = names.flatMap((target) => dependentsOf(target, metadata, new Set(names)))
  const found = new Map<string, SoftModel>()
  for (const name of names) {
    const { delegate = '', fields = {} } = metadata.models[name] ?? {}
    const own = {
      dependents: dependents.filter(({ target }) => target === name),
      owners: dependents.filter(({ model, effect }) => model === name && effect === 'cascade'),
    }
    const hasId = fields[deletionField] !== undefined
    if (!hasId && (own.dependents.length > 0 || own.owners.length > 0)) {
      throw new TypeError(
        `softDelete: ${name} is deleted together with others and needs a field ${deletionField}`,
      )
    }
    found.set(name, { name, delegate, field, deletionField: hasId ? deletionField : undefined, ...own })
  }
  return found
}

function isMark(found: FieldMetadata | undefined, model: string, name: string): boolean {
  if (!found) return false
  if (found.type === 'DateTime' && !found.isRequired && !found.isList) return true
  throw new TypeError(`softDelete: ${model}.${name} is no optional DateTime`)
}

function dependentsOf(
  target: string,
  metadata: SchemaMetadata,
  soft: ReadonlySet<string>,
): readonly Dependent[] {
  return Object.entries(metadata.models).flatMap(([model, { delegate, fields }]) =>
    Object.entries(fields).flatMap(([relation, field]): readonly Dependent[] => {
      if (field.type !== target || !field.relation) return []
      const onDelete = field.relation.onDelete ?? (field.isRequired ? 'Restrict' : 'SetNull')
      const keys = field.relation.fields
      const nullable = keys.filter((key) => fields[key]?.isRequired === false)
      const { references } = field.relation
      const known = { model, delegate, relation, target, fields: keys, references, nullable }
      if (onDelete === 'Cascade') return soft.has(model) ? [{ ...known, effect: 'cascade' }] : []
      if (onDelete === 'Restrict' || onDelete === 'NoAction') return [{ ...known, effect: 'restrict' }]
      if (onDelete === 'SetNull') return [{ ...known, effect: 'set-null' }]
      throw new TypeError(`softDelete: ${model}.${relation} says ${onDelete}, which can't be done`)
    }),
  )
}
