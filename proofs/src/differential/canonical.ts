import { isDbError } from '@org/db-core'

/** A result as text, with the type of each value and the order of keys. */
function canonical(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return Object.is(value, -0) ? '-0' : String(value)
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'string') return JSON.stringify(value)
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name}(${Buffer.from(value as Uint8Array).toString('hex')})`
  if (Array.isArray(value)) return `[${value.map(canonical).join(', ')}]`
  const name = value.constructor?.name ?? 'null'
  if (name !== 'Object') return `${name}(${String(value)})`
  return `{${Object.entries(value)
    .map(([key, inner]) => `${key}: ${canonical(inner)}`)
    .join(', ')}}`
}

/** What a call comes to: a value, or the kind of its failure. */
export async function outcome(run: () => Promise<unknown>): Promise<string> {
  try {
    return canonical(await run())
  } catch (error) {
    if (isDbError(error)) return `fails: ${codeOf(error.cause)}`
    return `fails: ${codeOf(error)}`
  }
}

/** Prisma's code, which our error keeps in its cause. */
function codeOf(error: unknown): string {
  const { code, name } = error as { readonly code?: unknown; readonly name?: unknown }
  // What reaches the server without Prisma comes back with the server's own code.
  return code === '23505' ? 'P2002' : String(code ?? name)
}
