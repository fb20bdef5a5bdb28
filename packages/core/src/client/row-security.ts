import { AsyncLocalStorage } from 'node:async_hooks'
import type { SqlDriverAdapterFactory } from '@prisma/client/runtime/client'
import { ConfigError } from '../config-error.ts'
import { currentContext, type DbContext } from '../context.ts'
import type { DatabaseEvents, EventSource } from '../events.ts'
import type { SchemaMetadata } from '../metadata.ts'
import type { Operation } from '../operation.ts'
import { announceBypass, type Party, partyOf, requireParty } from '../tenancy/system.ts'
import { TenantError } from '../tenancy/tenant-error.ts'
import { type Settings, searchPath, searchPathOf } from './preset-query.ts'
import type { TransactionScope } from './transaction-scope.ts'

/** How the tenant of the context reaches PostgreSQL's row-level security policies. */
export interface RowSecurityOptions {
  /** The setting that policies read, such as `app.tenant`. It is set for each statement or transaction, never longer. */
  readonly setting: string
  /**
   * The setting that is `on` for work inside `asSystem`, such as `app.bypass`, if policies know one. Default: none,
   * so that such work sees no tenant's rows unless the role may bypass policies.
   */
  readonly bypassSetting?: string
}

/** How the tenant of the context chooses the schema that its tables are in. */
export interface TenantSchemaOptions {
  /**
   * The schema of a tenant: `(tenant) => `tenant_${tenant}``. What it throws, the call rejects with. Any character
   * will do, in up to 63 bytes. Where there is no such schema, the statement is refused with DB_TENANT_SCHEMA.
   */
  readonly of: (tenant: string) => string
  /** Schemas for tables that a tenant's own has not, in this order. Work inside `asSystem` sees these alone. Default none. */
  readonly shared?: readonly string[]
}

/** What keeps tenants apart at the connection; at least one of both. */
export interface TenantLayers {
  readonly rowSecurity?: RowSecurityOptions | undefined
  readonly tenantSchema?: TenantSchemaOptions | undefined
  /** The schema of all tables, which no tenant's can stand beside. */
  readonly schema?: string | undefined
}

/** What one operation may see, on its way to the connection. */
export interface Grant {
  /** The same for all that may share a transaction; absent for work for nobody. */
  readonly party: string | undefined
  readonly settings: Settings
  /** How many statements ran with it. */
  statements: number
}

/** Knows for whom a statement runs, and refuses it where nobody said so. */
export interface RowSecurity {
  /** @throws TenantError DB_TENANT_MISSING */
  grant(context: DbContext, about: { readonly model?: string | undefined; readonly action: string }): Grant
  /** A grant that sees no tenant's rows, where the context says for whom the work is, one for that. */
  grantAnyway(context: DbContext): Grant
  /** The grant of the operation whose statements are being sent. */
  current(): Grant | undefined
  /** Ties a transaction to the party of its first work. @throws TenantError DB_TENANT_MISMATCH for any other */
  join(transaction: object, grant: Grant): void
  /** Runs an operation's `send`, and throws where its result can't be that of its own statements. */
  run(
    operation: Operation,
    transaction: object | undefined,
    send: () => PromiseLike<unknown>,
  ): Promise<unknown>
  /** The operation in a form that Prisma does not merge with others of the same tick. */
  unmerged(operation: Operation): Pick<Operation, 'action' | 'args'>
}

/** @throws ConfigError for names that are none of a setting of one's own, or without metadata */
export function createRowSecurity(
  layers: TenantLayers,
  {
    metadata,
    events,
  }: { readonly metadata: SchemaMetadata | undefined; readonly events: EventSource<DatabaseEvents> },
): RowSecurity {
  checkLayers(layers, metadata)
  const store = new AsyncLocalStorage<Grant>()
  const parties = new WeakMap<object, string>()

  function toGrant(party: Party | undefined): Grant {
    const tenant = party && 'tenant' in party ? party.tenant : undefined
    const isSystem = party !== undefined && tenant === undefined
    return {
      party: tenant === undefined ? (isSystem ? 'system' : undefined) : `tenant ${tenant}`,
      settings: [
        ...(layers.rowSecurity ? policySettings(layers.rowSecurity, tenant, isSystem) : []),
        ...(layers.tenantSchema ? [pathSetting(layers.tenantSchema, tenant)] : []),
      ],
      statements: 0,
    }
  }

  function announced(party: Party | undefined, context: DbContext): Grant {
    if (party && 'system' in party) announceBypass(events, party.system, context)
    return toGrant(party)
  }

  function join(transaction: object, grant: Grant): void {
    const party = parties.get(transaction)
    if (party === undefined && grant.party !== undefined) parties.set(transaction, grant.party)
    else if (party !== grant.party) throw foreignTransaction()
  }

  const security: RowSecurity = {
    grant: (context, about) => announced(requireParty(context, about), context),
    grantAnyway: (context) => announced(partyOf(context), context),
    current: () => store.getStore(),
    join,
    async run(operation, transaction, send) {
      const grant = security.grant(operation.context, operation)
      if (transaction) join(transaction, grant)
      // Prisma's promises start when `then` is called, so that has to happen in here.
      const result = await store.run(grant, () => send().then((value) => value))
      // In a transaction statements of several operations may be sent together, all of one party.
      const isForeign = !transaction && grant.statements === 0 && (merges(operation) || !isNothing(result))
      if (isForeign) throw foreignResult(operation)
      return result
    },
    unmerged(operation) {
      const { action, model } = operation
      if (!merges(operation) || model === undefined) return operation
      return {
        action: action === 'findUnique' ? 'findFirst' : 'findFirstOrThrow',
        args: flatten(operation.args, model, metadata),
      }
    },
  }
  return security
}

/** All are always set: whatever a session was left with must not shine through. */
function policySettings(
  { setting, bypassSetting }: RowSecurityOptions,
  tenant: string | undefined,
  isSystem: boolean,
): Settings {
  return [
    [setting, tenant ?? ''],
    ...(bypassSetting === undefined ? [] : [[bypassSetting, isSystem ? 'on' : ''] as const]),
  ]
}

function pathSetting({ of, shared = [] }: TenantSchemaOptions, tenant: string | undefined): Settings[number] {
  if (tenant === undefined) return [searchPath, searchPathOf(shared)]
  const schema = of(tenant)
  // PostgreSQL would cut a longer name off, and might find another tenant's.
  if (schema === '' || Buffer.byteLength(schema) > 63) {
    throw new TenantError(
      'DB_TENANT_SCHEMA',
      "The tenant's schema has an empty name, or one of over 63 bytes",
    )
  }
  return [searchPath, searchPathOf([schema, ...shared]), schema]
}

/** What a transaction that is being opened may see: as the operation that needs it, or the code that began it. */
export function grantOfTransaction(security: RowSecurity, scope: TransactionScope | undefined): Grant {
  const grant = security.current() ?? security.grant(currentContext(), { action: 'transaction' })
  if (scope) security.join(scope.root, grant)
  return grant
}

/** A transaction that refuses statements of anybody else: the last line, behind `run`. */
export function guardTransaction<T extends GuardedTransaction>(
  inner: T,
  security: RowSecurity,
  own: Grant,
): T {
  const guarded = <R>(run: () => Promise<R>): Promise<R> => {
    const grant = security.current()
    if (!grant) return Promise.reject(missingGrant())
    if (grant.party !== own.party) return Promise.reject(foreignTransaction())
    grant.statements += 1
    return run()
  }
  return {
    ...inner,
    queryRaw: (query) => guarded(() => inner.queryRaw(query)),
    executeRaw: (query) =>
      query.sql === 'COMMIT' || query.sql === 'ROLLBACK'
        ? inner.executeRaw(query)
        : guarded(() => inner.executeRaw(query)),
  }
}

type GuardedTransaction = Pick<AdapterTransaction, 'queryRaw' | 'executeRaw'>
type AdapterTransaction = Awaited<
  ReturnType<Awaited<ReturnType<SqlDriverAdapterFactory['connect']>>['startTransaction']>
>

function foreignTransaction(): TenantError {
  return new TenantError('DB_TENANT_MISMATCH', 'The transaction belongs to another tenant than the call', {
    action: 'transaction',
  })
}

/** The error of a statement of which nobody knows for whom it runs. */
export function missingGrant(): TenantError {
  return new TenantError('DB_TENANT_MISSING', 'A statement came without a tenant, and was not sent')
}

function foreignResult({ model, action }: Operation): TenantError {
  return new TenantError(
    'DB_TENANT_UNSUPPORTED',
    `${model}.${action} was answered without a statement of its own`,
    {
      model,
      action,
    },
  )
}

/** Prisma turns such calls of one tick into one statement, which then runs for the first caller. */
function merges({ action }: Operation): boolean {
  return action === 'findUnique' || action === 'findUniqueOrThrow'
}

/** What Prisma may answer without asking the database, as for `in: []`. */
function isNothing(result: unknown): boolean {
  if (result === null || result === undefined || result === 0) return true
  return Array.isArray(result) ? result.length === 0 : (result as { count?: unknown }).count === 0
}

/** Compound keys as `findFirst` takes them: `{ a_b: { a, b } }` becomes `{ a, b }`. */
function flatten(args: unknown, model: string, metadata: SchemaMetadata | undefined): unknown {
  const { where } = (args ?? {}) as { readonly where?: Readonly<Record<string, unknown>> }
  const fields = metadata?.models[model]?.fields
  if (!where || !fields) return args
  const compound = Object.keys(where).filter(
    (key) => !Object.hasOwn(fields, key) && key !== 'AND' && key !== 'OR' && key !== 'NOT',
  )
  if (compound.length === 0) return args
  const rest = Object.fromEntries(Object.entries(where).filter(([key]) => !compound.includes(key)))
  // The parts of a key may also stand beside it, with other values.
  const keys = compound.map((key) => where[key])
  return { ...(args as object), where: { AND: [...keys, rest] } }
}

function checkLayers(
  { rowSecurity, tenantSchema, schema }: TenantLayers,
  metadata: SchemaMetadata | undefined,
): void {
  const problem = 'must be the name of a setting of your own, such as app.tenant'
  const isName = (name: string): boolean => /^[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)+$/i.test(name)
  const { setting, bypassSetting } = rowSecurity ?? {}
  const layer = rowSecurity ? 'rowSecurity' : 'tenantSchema'
  const problems = [
    ...(setting === undefined || isName(setting) ? [] : [{ field: 'rowSecurity.setting', problem }]),
    ...(bypassSetting === undefined || isName(bypassSetting)
      ? []
      : [{ field: 'rowSecurity.bypassSetting', problem }]),
    ...(tenantSchema === undefined || typeof tenantSchema.of === 'function'
      ? []
      : [{ field: 'tenantSchema.of', problem: 'must be a function from a tenant to its schema' }]),
    ...(tenantSchema === undefined || schema === undefined
      ? []
      : [{ field: 'schema', problem: 'must not be set beside tenantSchema, which decides it' }]),
    ...(metadata ? [] : [{ field: 'metadata', problem: `is needed for ${layer}` }]),
  ]
  if (problems.length > 0) throw new ConfigError(problems)
}
