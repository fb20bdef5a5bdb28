import { metadata } from './generated/db-metadata.ts'

/**
 * The workspace's models without a tenant, for tests of tenancy. An application writes its list down, so that a
 * forgotten column is noticed; here many packages add models of their own.
 */
export const sharedModels: readonly string[] = Object.entries(metadata.models)
  .filter(([, { fields }]) => !('tenantId' in fields))
  .filter(([, { fields }]) =>
    Object.values(fields).every(({ annotations }) => annotations?.tenant === undefined),
  )
  .map(([name]) => name)
