import { databaseOf } from '../database-of.ts'
import type { SchemaMetadata } from '../metadata.ts'
import { modelsOf } from '../models-of.ts'
import type { Interceptor, InterceptorHost, Next, Operation } from '../operation.ts'
import { narrowOperation } from '../walk/operation.ts'
import { checkResult } from '../walk/result.ts'
import { checkReferences } from './check-references.ts'
import { createScope, refusal } from './scope.ts'
import { announceBypass, requireParty } from './system.ts'
import { TenantError } from './tenant-error.ts'
import { type TenantModelOptions, tenantFields } from './tenant-models.ts'

/** How the column layer keeps tenants apart. */
export interface TenancyOptions extends TenantModelOptions {
  /**
   * The models without a tenant's field, which all tenants share. `createDatabase` throws a TypeError that names any
   * other model without one, so that a forgotten column is found at start. `models: { Film: false }` says the same
   * of a model with such a field. Default none.
   */
  readonly shared?: readonly string[]
  /**
   * Raw SQL (`$queryRaw` and its like) can't be scoped: `refuse` it outside of `asSystem`, or `allow` it because
   * row-level security scopes it. Default `refuse`. `db.sql` passes no interceptor and is not covered.
   */
  readonly raw?: 'refuse' | 'allow'
  /**
   * Foreign keys given as plain values (`projectId: 7`) cost a look-up, which `trust` saves where the database's
   * foreign keys include the tenant although the Prisma schema does not say so. Default `check`.
   */
  readonly references?: 'check' | 'trust'
}

/**
 * Keeps every Prisma operation within the tenant of the context, nested ones included. The database object needs
 * the option `metadata`. Operations on shared models alone need no tenant.
 * @throws TenantError from operations: DB_TENANT_MISSING, DB_TENANT_MISMATCH, DB_TENANT_RAW_SQL, DB_TENANT_UNSUPPORTED
 */
export function tenancy(options: TenancyOptions = {}): Interceptor {
  const hosts: Attached[] = []
  return {
    name: 'tenancy',
    stage: 'guard',
    options,
    attach(host) {
      if (hosts.length > 0) throw new TypeError('tenancy: each database needs an interceptor of its own')
      hosts.push(attached(host, options))
    },
    intercept(operation, next) {
      const [host] = hosts
      if (!host) throw new TypeError('tenancy: the interceptor is not attached to a database')
      // What is thrown here must reject; async functions would break Prisma's merging of calls.
      try {
        return guard(operation, next, host, options)
      } catch (error) {
        return Promise.reject(error)
      }
    },
  }
}

interface Attached {
  readonly host: InterceptorHost
  readonly metadata: SchemaMetadata
  readonly fields: ReadonlyMap<string, string>
}

function attached(host: InterceptorHost, options: TenancyOptions): Attached {
  const { metadata } = host
  if (!metadata) throw new TypeError('tenancy: createDatabase needs the option metadata')
  const fields = tenantFields(metadata, options)
  checkShared(metadata, fields, options)
  return { host, metadata, fields }
}

function checkShared(
  metadata: SchemaMetadata,
  fields: Attached['fields'],
  { shared = [], models = {} }: TenancyOptions,
): void {
  const unknown = shared.filter((name) => !Object.hasOwn(metadata.models, name))
  if (unknown.length > 0) throw new TypeError(`tenancy: shared names no model: ${unknown.join(', ')}`)
  const owned = shared.filter((name) => fields.has(name))
  if (owned.length > 0) {
    throw new TypeError(`tenancy: shared names models with a tenant's field: ${owned.join(', ')}`)
  }
  const known = new Set([...fields.keys(), ...shared, ...Object.keys(models)])
  const forgotten = Object.keys(metadata.models).filter((name) => !known.has(name))
  if (forgotten.length > 0) {
    throw new TypeError(
      `tenancy: no tenant's field in ${forgotten.join(', ')}: list in \`shared\` what all tenants share`,
    )
  }
}

function guard(
  operation: Operation,
  next: Next,
  attachedTo: Attached,
  options: TenancyOptions,
): Promise<unknown> {
  const { model, action, layer, context } = operation
  const { host, metadata, fields } = attachedTo
  // A repository's method ends in operations of the client, which come here too.
  if (layer !== 'client' || action === '$transaction') return next(operation)
  if (model === undefined) {
    if (options.raw === 'allow') return next(operation)
    const party = requireParty(context, operation)
    if (!('system' in party)) {
      throw new TenantError(
        'DB_TENANT_RAW_SQL',
        `${action} was refused: raw SQL can't be scoped to a tenant`,
        { action },
      )
    }
    announceBypass(host.events, party.system, context)
    return next(operation)
  }
  if (!fields.has(model) && !touches(operation, attachedTo)) return next(operation)
  const party = requireParty(context, operation)
  if ('system' in party) {
    announceBypass(host.events, party.system, context)
    return next(operation)
  }
  const scope = createScope({ metadata, fields, tenant: party.tenant, action, client: host.client })
  const { args, checks } = narrowOperation(operation, model, scope)
  const scoped = { ...operation, args }
  const start = (): Promise<unknown> => next(scoped)
  const running =
    scope.references.length > 0 && options.references !== 'trust'
      ? checkReferences(scope, host.sql, schemaOf(host)).then(start)
      : start()
  if (!checks && action !== 'upsert') return running
  return running.then((result) => {
    // Prisma's upsert by ON CONFLICT does nothing, and says nothing, when the row is not one that it may update.
    if (action === 'upsert' && (result === null || result === undefined)) {
      throw refusal(scope, model, 'DB_TENANT_MISMATCH', 'the key is taken by another tenant')
    }
    return checks ? checkResult(result, checks, model, scope) : result
  })
}

/** Where Prisma looks for models that name no schema; `undefined` where each tenant's search path decides. */
function schemaOf({ client, schema = 'public' }: InterceptorHost): string | undefined {
  return databaseOf(client)?.isUnqualified ? undefined : schema
}

function touches(operation: Operation, { metadata, fields }: Attached): boolean {
  for (const model of modelsOf(operation, metadata)) if (fields.has(model)) return true
  return false
}
