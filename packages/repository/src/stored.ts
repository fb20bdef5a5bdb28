import type { Access } from './access.ts'
import type { Binding } from './binding.ts'
import { RepositoryError } from './errors.ts'

/** Where Prisma keeps the extensions of a client; nothing public tells of them. */
interface Extended {
  readonly _extensions?: { getAllComputedFields?(model: string): object | undefined }
}

/** Looked up once, because Prisma's proxies are slow. */
const known = new WeakMap<Binding, object>()

/**
 * Refuses fields that an extension of the client (`result`) computes anew: rows can't be found again by such values.
 * @throws RepositoryError DB_REPOSITORY_CONFIG
 */
export function checkStored({ binding, model }: Access, fields: readonly string[]): void {
  const computed =
    known.get(binding) ?? (binding.client as Extended)._extensions?.getAllComputedFields?.(model) ?? {}
  known.set(binding, computed)
  const field = fields.find((each) => Object.hasOwn(computed, each))
  if (field === undefined) return
  throw new RepositoryError(
    'DB_REPOSITORY_CONFIG',
    `${model}.${field} is computed by an extension of the client, so rows can't be found by it`,
  )
}
