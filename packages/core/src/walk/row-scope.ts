import type { FieldMetadata, SchemaMetadata } from '../metadata.ts'
import type { Args } from './args.ts'

/** The relation by which a row is written, seen from that row; absent at the top. */
export type Via = FieldMetadata | undefined

/** Why an operation is refused: it names rows outside of the scope, or can't be narrowed safely. */
export type Refusal = 'mismatch' | 'unsupported'

/** Which rows an operation may see and write, told by one field of each model: those of a tenant, those not deleted. */
export interface RowScope {
  readonly metadata: SchemaMetadata
  /** The field that tells; absent for a model whose rows are all within. */
  fieldOf(model: string): string | undefined
  /** What that field must be, as a condition of Prisma's. */
  valueOf(model: string): unknown
  /** Whether a row with this value of the field is within. */
  includes(value: unknown, model: string): boolean
  /** Whether results lack that field because the client was made with `omit`. */
  isOmitted(model: string): boolean
  /**
   * Whether a relation that leads outside counts as `null` in conditions. It costs the index of the foreign key, so it
   * is for scopes whose rows may well lead outside.
   */
  readonly isNullOutside: boolean
  /** The data of a new row; `narrowed` is `given` with its nested writes narrowed. */
  create(narrowed: Args, given: Args, model: string, via: Via): Args
  /** The changes of a row. */
  update(narrowed: Args, given: Args, model: string): Args
  /** The changes that stand for the deletion of a row in nested writes; absent where rows are really deleted. */
  deletion(model: string): Args | undefined
  /** Called for a row outside that a required relation leads to; it stays in the result unless this throws. */
  requiredOutside(model: string, relation: string): void
  /** The error of a refused operation. */
  refuse(model: string, why: Refusal, what: string): Error
}

/** Whether a client was made with `omit` for a field: then results hold it only where it is asked for. */
export function isOmittedBy(client: object, delegate: string, field: string): boolean {
  const models: unknown = Reflect.get(client, '_globalOmit')
  const fields: unknown = isObject(models) ? models[delegate] : undefined
  return isObject(fields) && fields[field] === true
}

function isObject(value: unknown): value is Args {
  return typeof value === 'object' && value !== null
}

/** The field of a model, as Prisma's arguments name it. */
export function fieldIn(
  { metadata }: Pick<RowScope, 'metadata'>,
  model: string,
  name: string,
): FieldMetadata | undefined {
  const fields = metadata.models[model]?.fields
  return fields && Object.hasOwn(fields, name) ? fields[name] : undefined
}
