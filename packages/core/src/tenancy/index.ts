export { type RowSecurityPolicyOptions, rowSecurityPolicies } from './row-security-policies.ts'
export { asSystem, type Party, partyOf } from './system.ts'
export { type TenancyOptions, tenancy } from './tenancy.ts'
export { TenantError, type TenantErrorCode, type TenantErrorOptions } from './tenant-error.ts'
export type { TenantFields, TenantModelOptions } from './tenant-models.ts'
export {
  type RowSecurityProblem,
  type VerifyRowSecurityOptions,
  verifyRowSecurity,
} from './verify-row-security.ts'
