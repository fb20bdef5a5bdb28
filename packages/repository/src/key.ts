import type { ModelMetadata } from '@org/db-core'
import type { Binding } from './binding.ts'
import { RepositoryError } from './errors.ts'

/** What tells the rows of a model apart. */
export interface Key {
  /** What Prisma calls it in `where`: `id`, or `userId_teamCode` for a compound one. */
  readonly name: string
  /** The fields that make it up. */
  readonly fields: readonly string[]
  /** Prisma's arguments for one row, `{ where }`. @throws RepositoryError DB_REPOSITORY_ARGUMENT for a fraction in a whole-number key */
  argsFor(id: unknown): object
}

/** A key as constructors name it. */
export type KeySpec =
  | string
  | readonly string[]
  | { readonly name: string; readonly fields: readonly string[] }

/**
 * Finds the key: the given one, else the field `id` where it is unique, else the primary key of the metadata. The
 * types decide by the same rule.
 * @throws RepositoryError DB_REPOSITORY_CONFIG when there is no such field, no such unique, or no key to be found
 */
export function findKey(binding: Binding, spec: KeySpec | undefined): Key {
  const { model, modelMetadata } = binding
  const { name, fields } = spec === undefined ? defaultKey(binding) : namedKey(spec, modelMetadata)
  for (const field of fields) {
    if (!hasField(binding, field)) throw wrong(`Model ${model} has no field ${field} to be its key`)
  }
  if (fields.length === 0 || (modelMetadata && !isUnique(modelMetadata, fields))) {
    throw wrong(`Model ${model} has no unique key of ${fields.join(', ') || 'no fields'}`)
  }
  return { name, fields, argsFor: argsBuilder(binding, name, fields) }
}

type KeyName = Pick<Key, 'name' | 'fields'>

function defaultKey(binding: Binding): KeyName {
  const { model, modelMetadata } = binding
  if (hasField(binding, 'id') && (!modelMetadata || isUnique(modelMetadata, ['id']))) {
    return { name: 'id', fields: ['id'] }
  }
  if (modelMetadata) return { name: modelMetadata.idName, fields: modelMetadata.id }
  throw wrong(
    `Model ${model} has no field id: its key must be named, by the option id or by the client's metadata`,
  )
}

function namedKey(spec: KeySpec, metadata: ModelMetadata | undefined): KeyName {
  if (typeof spec === 'string') return { name: spec, fields: [spec] }
  if ('name' in spec) return spec
  const isPrimary = metadata !== undefined && sameFields(metadata.id, spec)
  return { name: isPrimary ? metadata.idName : spec.join('_'), fields: spec }
}

/** Prisma's field references answer `in` and `hasOwn` for any name; only their keys tell the truth. */
function hasField({ delegate }: Binding, field: string): boolean {
  return Object.keys(delegate.fields).includes(field)
}

function isUnique(metadata: ModelMetadata, fields: readonly string[]): boolean {
  return metadata.uniques.some((unique) => sameFields(unique, fields))
}

function sameFields(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((field, index) => field === b[index])
}

/** Prisma cuts a fraction off and finds another row: id 1.5 would be row 1. */
function argsBuilder({ delegate, model }: Binding, name: string, fields: readonly string[]): Key['argsFor'] {
  const wholeFields = fields.filter((field) => delegate.fields[field]?.typeName === 'Int')
  const refuse = (field: string): never => {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${model}.${field} is a whole number, the given one is not`,
    )
  }
  const isFraction = (value: unknown): boolean => typeof value === 'number' && !Number.isInteger(value)
  if (fields.length === 1) {
    const [field = name] = wholeFields
    if (wholeFields.length === 0) return (id) => ({ where: { [name]: id } })
    return (id) => (isFraction(id) ? refuse(field) : { where: { [name]: id } })
  }
  return (id) => {
    for (const field of wholeFields) {
      if (isFraction((id as Readonly<Record<string, unknown>> | null | undefined)?.[field])) refuse(field)
    }
    return { where: { [name]: id } }
  }
}

function wrong(message: string): RepositoryError {
  return new RepositoryError('DB_REPOSITORY_CONFIG', message)
}
