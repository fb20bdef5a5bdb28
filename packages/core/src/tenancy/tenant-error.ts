import { DbError, type DbErrorOptions } from '../errors.ts'

/** Why tenancy refused an operation. */
export type TenantErrorCode =
  /** The context names no tenant, and the code is not inside `asSystem`. */
  | 'DB_TENANT_MISSING'
  /** Data, a key, a reference or a transaction belongs to another tenant than the context. */
  | 'DB_TENANT_MISMATCH'
  /** Raw SQL, which can't be scoped, while `raw` is `refuse`. */
  | 'DB_TENANT_RAW_SQL'
  /** An operation that can't be scoped safely; the message says which part. */
  | 'DB_TENANT_UNSUPPORTED'
  /** The schema of the tenant does not exist, or the role may not use it. */
  | 'DB_TENANT_SCHEMA'

/** What a tenant error is born with. */
export interface TenantErrorOptions extends DbErrorOptions {
  readonly model?: string | undefined
  readonly action?: string | undefined
}

/** An operation that could have reached another tenant's rows, and was not carried out. */
export class TenantError extends DbError<TenantErrorCode> {
  readonly model?: string
  readonly action?: string

  constructor(code: TenantErrorCode, message: string, options: TenantErrorOptions = {}) {
    super(code, message, options)
    if (options.model !== undefined) this.model = options.model
    if (options.action !== undefined) this.action = options.action
  }
}
