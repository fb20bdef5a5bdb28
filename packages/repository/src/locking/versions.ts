import { isDbError } from '@org/db-core'
import type { Access } from '../access.ts'
import { RepositoryError, VersionConflictError } from '../errors.ts'
import { checkInteger } from '../window.ts'

/** One version of one row. */
export interface Versioned {
  readonly id: unknown
  readonly version: number
  /** The field that counts the changes. */
  readonly field: string
}

/** Changes the row if it still has this version, and counts the version up. */
export async function updateVersion(
  access: Access,
  row: Versioned,
  data: object,
  options: object | undefined,
): Promise<never> {
  const { field } = row
  if (Reflect.get(data, field) !== undefined) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      `${access.model}: ${field} counts itself and can't be given`,
    )
  }
  const own = { ...whereVersion(access, row), data: { ...data, [field]: { increment: 1 } } }
  return perform(access, 'update', row, access.args(options, own))
}

/** Deletes the row if it still has this version. */
export function deleteVersion(access: Access, row: Versioned, options: object | undefined): Promise<never> {
  return perform(access, 'delete', row, access.args(options, whereVersion(access, row)))
}

function whereVersion(access: Access, { id, version, field }: Versioned): object {
  checkInteger(access.model, field, version, Number.MIN_SAFE_INTEGER)
  const { where } = access.key.argsFor(id) as { readonly where: object }
  return { where: { ...where, [field]: version } }
}

async function perform(
  access: Access,
  action: 'update' | 'delete',
  { id, version: expected, field }: Versioned,
  args: object,
): Promise<never> {
  try {
    return access.one(await access.perform(action, args))
  } catch (error) {
    if (!isDbError(error, 'DB_NOT_FOUND')) throw error
    const select = { [field]: true }
    const found = await access.perform('findUnique', { ...access.key.argsFor(id), select })
    const actual = (found as Readonly<Record<string, number>> | null)?.[field]
    if (actual === undefined || actual === expected) throw error
    throw new VersionConflictError(
      `${access.model}.${action}: the row has version ${actual}, not ${expected}`,
      {
        model: access.model,
        expected,
        actual,
      },
    )
  }
}
