import type { SchemaMetadata } from '../metadata.ts'
import { isOmittedBy, type RowScope } from '../walk/row-scope.ts'
import { checkUpdate, fillCreate } from './scope-data.ts'
import { TenantError, type TenantErrorCode } from './tenant-error.ts'
import { tenantValue } from './tenant-models.ts'

/** A foreign key that is written as a plain value and must lead to a row of the tenant. */
export interface Reference {
  readonly model: string
  readonly field: string
  readonly target: string
  readonly columns: readonly string[]
  readonly values: readonly unknown[]
}

/** The tenant of one operation, and what scoping it has found out. */
export interface Scope extends RowScope {
  readonly action: string
  includes(value: unknown): boolean
  /** Foreign keys to be looked up before the operation. */
  readonly references: Reference[]
}

interface ScopeOptions {
  readonly metadata: SchemaMetadata
  readonly tenant: string
  readonly action: string
  readonly fields: ReadonlyMap<string, string>
  readonly client: object
}

/** Begins to scope one operation. */
export function createScope({ metadata, tenant, action, fields, client }: ScopeOptions): Scope {
  const scope: Scope = {
    metadata,
    action,
    fieldOf: (model) => fields.get(model),
    valueOf(model) {
      const field = metadata.models[model]?.fields[fields.get(model) ?? '']
      return field === undefined ? tenant : tenantValue(tenant, field)
    },
    includes: (value) =>
      (typeof value === 'string' || typeof value === 'number' || typeof value === 'bigint') &&
      `${value}` === tenant,
    isOmitted: (model) =>
      isOmittedBy(client, metadata.models[model]?.delegate ?? '', fields.get(model) ?? ''),
    isNullOutside: false,
    create: (narrowed, given, model, via) => fillCreate(narrowed, given, model, scope, via),
    update: (narrowed, given, model) => checkUpdate(narrowed, given, model, scope),
    deletion: () => undefined,
    requiredOutside(model, relation) {
      throw refusal(scope, model, 'DB_TENANT_MISMATCH', `${relation} of a row belongs to another tenant`)
    },
    refuse: (model, why, what) =>
      refusal(scope, model, why === 'mismatch' ? 'DB_TENANT_MISMATCH' : 'DB_TENANT_UNSUPPORTED', what),
    references: [],
  }
  return scope
}

/** The error of an operation in this scope. */
export function refusal(
  scope: Pick<Scope, 'action'>,
  model: string,
  code: TenantErrorCode,
  what: string,
): TenantError {
  return new TenantError(code, `${model}.${scope.action} was refused: ${what}`, {
    model,
    action: scope.action,
  })
}
