import { metadata } from '@org/prisma/metadata'

/** Every value that a tenant writes tells whose it is: names and texts begin with it, keys lie in its range. */
const rangeSize = 1_000_000

/** The field that holds the tenant, of each tenant model of the workspace's schema. */
export const tenantFields: ReadonlyMap<string, string> = new Map(
  Object.entries(metadata.models).flatMap(([name, { fields }]) => {
    const annotated = Object.entries(fields).find(([, { annotations }]) => annotations?.tenant)?.[0]
    const field = annotated ?? ('tenantId' in fields ? 'tenantId' : undefined)
    return field === undefined ? [] : [[name, field] as const]
  }),
)

/** `t07` */
export function tenantName(tenant: number): string {
  return `t${String(tenant).padStart(2, '0')}`
}

export function textOf(tenant: number, text: string | number): string {
  return `${tenantName(tenant)}:${text}`
}

export function numberOf(tenant: number, number: number): number {
  return (tenant + 1) * rangeSize + number
}

export function uuidOf(tenant: number, number: number): string {
  return `${String(tenant + 1).padStart(8, '0')}-0000-4000-8000-${String(number).padStart(12, '0')}`
}

/** Foreign keys of a row's own, which wrong data may lead elsewhere: seeing the number shows nothing of the other row. */
const ownForeignKeys: ReadonlySet<string> = new Set(
  Object.values(metadata.models).flatMap(({ fields, id }) =>
    Object.values(fields).flatMap(({ relation }) =>
      (relation?.fields ?? []).filter((name) => !id.includes(name)),
    ),
  ),
)

/** Whose values a result holds besides the tenant's own; empty when everything is as it must be. */
export function foreignMarks(result: unknown, tenant: number): readonly string[] {
  const found: string[] = []
  const look = (value: unknown, key: string): void => {
    if (Array.isArray(value)) for (const each of value) look(each, key)
    else if (typeof value === 'object' && value !== null) {
      for (const [name, each] of Object.entries(value)) look(each, name)
    } else if (!ownForeignKeys.has(fieldNames.get(key) ?? key)) {
      const owner = ownerOf(value)
      if (owner !== undefined && owner !== tenant) found.push(`${key} = ${String(value)}`)
    }
  }
  look(result, 'result')
  return found
}

/** Raw SQL answers with columns. */
const fieldNames: ReadonlyMap<string, string> = new Map(
  Object.values(metadata.models).flatMap(({ fields }) =>
    Object.entries(fields).map(([name, { column }]) => [column ?? name, name] as const),
  ),
)

function ownerOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value < rangeSize ? undefined : Math.floor(value / rangeSize) - 1
  if (typeof value !== 'string') return undefined
  const marked = /^t(\d\d)(:|$)/.exec(value)?.[1] ?? undefined
  if (marked !== undefined) return Number(marked)
  const range = /^(\d{8})-0000-4000-8000-/.exec(value)?.[1]
  return range === undefined ? undefined : Number(range) - 1
}
