import type { FieldMetadata, SchemaMetadata } from '../metadata.ts'
import { TenantError, type TenantErrorCode } from './tenant-error.ts'
import { tenantValue } from './tenant-models.ts'

/** A loose object of Prisma's arguments. */
export type Args = Readonly<Record<string, unknown>>

/** A foreign key that is written as a plain value and must lead to a row of the tenant. */
export interface Reference {
  readonly model: string
  readonly field: string
  readonly target: string
  readonly columns: readonly string[]
  readonly values: readonly unknown[]
}

/** The tenant of one operation, and what scoping it has found out. */
export interface Scope {
  readonly metadata: SchemaMetadata
  readonly tenant: string
  readonly action: string
  /** The tenant's field of a model; absent for a shared one. */
  fieldOf(model: string): string | undefined
  /** The tenant as a value of that field. */
  valueOf(model: string): unknown
  /** Foreign keys to be looked up before the operation. */
  readonly references: Reference[]
}

/** Begins to scope one operation. */
export function createScope(
  options: Pick<Scope, 'metadata' | 'tenant' | 'action'> & { readonly fields: ReadonlyMap<string, string> },
): Scope {
  const { metadata, tenant, action, fields } = options
  const fieldOf = (model: string): string | undefined => fields.get(model)
  return {
    metadata,
    tenant,
    action,
    fieldOf,
    valueOf(model) {
      const field = metadata.models[model]?.fields[fieldOf(model) ?? '']
      return field === undefined ? tenant : tenantValue(tenant, field)
    },
    references: [],
  }
}

/** The field of a model, as Prisma's arguments name it. */
export function fieldIn(scope: Scope, model: string, name: string): FieldMetadata | undefined {
  const fields = scope.metadata.models[model]?.fields
  return fields && Object.hasOwn(fields, name) ? fields[name] : undefined
}

/** Whether a value is an object of arguments, not a date, a decimal, bytes or a list. */
export function isArgs(value: unknown): value is Args {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** Prisma takes one or a list in many places. */
export function toList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** Applies `change` to one, or to each of a list. */
export function mapEach(value: unknown, change: (each: Args) => unknown): unknown {
  return Array.isArray(value)
    ? value.map((each) => (isArgs(each) ? change(each) : each))
    : isArgs(value)
      ? change(value)
      : value
}

/** The error of an operation in this scope. */
export function refusal(scope: Scope, model: string, code: TenantErrorCode, what: string): TenantError {
  return new TenantError(code, `${model}.${scope.action} was refused: ${what}`, {
    model,
    action: scope.action,
  })
}
