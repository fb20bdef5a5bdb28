import type { Node } from 'libpg-query'

/** What two definitions of one index have in common, as text: their parse trees without names, places and casts of constants. */
export function indexShape(tree: Node): string | undefined {
  if (!('IndexStmt' in tree)) return undefined
  const { accessMethod, indexParams, indexIncludingParams, whereClause, unique } = tree.IndexStmt
  return JSON.stringify(
    plain({ accessMethod, indexParams, indexIncludingParams, whereClause, unique: unique === true }),
  )
}

/** PostgreSQL writes out what it has added: casts of constants, the order that is the default. */
function plain(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  if ('TypeCast' in value) {
    const { arg } = value.TypeCast as { arg?: unknown }
    return plain(arg)
  }
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key, each]) => !isNoise(key, each))
      .map(([key, each]) => [key, plain(each)]),
  )
}

function isNoise(key: string, value: unknown): boolean {
  if (
    /(^|_)(location|len|start|end)$/.test(key) ||
    key === 'override' ||
    key === 'coercionform' ||
    key === 'funcformat'
  )
    return true
  return key === 'ordering'
    ? value === 'SORTBY_DEFAULT' || value === 'SORTBY_ASC'
    : value === 'SORTBY_NULLS_DEFAULT'
}
