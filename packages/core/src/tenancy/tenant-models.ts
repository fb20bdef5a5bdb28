import type { FieldMetadata, ModelMetadata, SchemaMetadata } from '../metadata.ts'
import { TenantError } from './tenant-error.ts'

/** Which field of a model holds the tenant, where that differs from the rule; `false`: the model is shared. */
export type TenantFields = Readonly<Record<string, string | false>>

/** How tenant models are recognised. */
export interface TenantModelOptions {
  /** The field that holds the tenant. Default `tenantId`. A field with the comment `/// @tenant` goes before it. */
  readonly field?: string
  /** Exceptions: another field, or `false` for a model that all tenants share. Default: none. */
  readonly models?: TenantFields
}

/**
 * The tenant's field of each model that has one.
 * @throws TypeError for a model or field that does not exist
 */
export function tenantFields(
  metadata: SchemaMetadata,
  { field = 'tenantId', models = {} }: TenantModelOptions,
): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const name of Object.keys(models)) {
    if (!Object.hasOwn(metadata.models, name)) throw new TypeError(`tenancy: there is no model ${name}`)
  }
  for (const [name, model] of Object.entries(metadata.models)) {
    const chosen = Object.hasOwn(models, name) ? models[name] : (annotated(model) ?? implied(model, field))
    if (chosen === undefined || chosen === false) continue
    if (model.fields[chosen]?.column === undefined)
      throw new TypeError(`tenancy: ${name} has no field ${chosen}`)
    found.set(name, chosen)
  }
  return found
}

function annotated(model: ModelMetadata): string | undefined {
  return Object.entries(model.fields).find(([, { annotations }]) => annotations?.tenant !== undefined)?.[0]
}

function implied(model: ModelMetadata, field: string): string | undefined {
  return Object.hasOwn(model.fields, field) ? field : undefined
}

/** The tenant as a value of the field's type. */
export function tenantValue(tenant: string, { type }: FieldMetadata): unknown {
  if (type === 'Int' && /^-?\d{1,10}$/.test(tenant)) return Number(tenant)
  if (type === 'BigInt' && /^-?\d+$/.test(tenant)) return BigInt(tenant)
  if (type === 'Int' || type === 'BigInt') {
    throw new TenantError('DB_TENANT_MISMATCH', `The tenant of the context is no ${type}`)
  }
  return tenant
}
