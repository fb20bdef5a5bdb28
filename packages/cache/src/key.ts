import { createHash } from 'node:crypto'
import type { DbContext, Operation } from '@org/db-core'
import { isDecimalLike, isPlain } from './copy.ts'

/** Keys longer than this are replaced by a hash, which can't collide by accident. */
const maxLength = 180

/** What tells cached reads apart. */
export interface KeyOptions {
  /** Stands for all that is the same for every read of a client or repository: schema, database, repository. */
  readonly scope: string
  /** What else the result depends on, such as the role of the actor where row-level security looks at it. */
  readonly varyBy: ((context: DbContext) => string) | undefined
}

/**
 * The key of a read, `Film:findMany:<tenant>:<arguments>`; `undefined` if the arguments hold something whose meaning
 * is not known, so that the read can't be told apart from others.
 */
export function keyOf(operation: Operation, { scope, varyBy }: KeyOptions): string | undefined {
  const args = canonical(operation.args)
  if (args === undefined) return undefined
  const { model = '', action, layer, context } = operation
  const head = `${model}:${layer === 'repository' ? `${action}()` : action}`
  const about = [context.tenant ?? null, varyBy?.(context) ?? null, scope, ...notesIn(context)]
  const rest = `${JSON.stringify(about)}:${args}`
  if (rest.length <= maxLength) return `${head}:${rest}`
  return `${head}:${createHash('sha256').update(rest).digest('base64url')}`
}

/** A short text that is another one for other parts. */
export function hashOf(parts: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 16)
}

/** The key as events tell it: `Film:findMany:` and a hash, because arguments hold values. */
export function describedKey(key: string): string {
  const end = key.indexOf(':[')
  if (end < 0) return key
  return `${key.slice(0, end)}:${createHash('sha256').update(key.slice(end)).digest('base64url').slice(0, 22)}`
}

/** What packages note in the context under symbols and results depend on, such as that deleted rows are shown. */
function notesIn(context: DbContext): readonly string[] {
  return Object.getOwnPropertySymbols(context).flatMap((symbol) => {
    const note: unknown = Reflect.get(context, symbol)
    return typeof note === 'string' ? [`${symbol.description}=${note}`] : []
  })
}

/** A text that is the same for arguments that mean the same, and for no others; `undefined` if that can't be told. */
function canonical(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value)
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value)
    case 'boolean':
    case 'undefined':
      return String(value)
    case 'bigint':
      return `${value}n`
    case 'object':
      return value === null ? 'null' : canonicalObject(value)
    default:
      return undefined
  }
}

function canonicalObject(value: object): string | undefined {
  if (Array.isArray(value)) {
    const elements = value.map(canonical)
    return elements.includes(undefined) ? undefined : `[${elements.join()}]`
  }
  if (value instanceof Date) return `date(${value.getTime()})`
  if (value instanceof Uint8Array) return `bytes(${Buffer.from(value).toString('base64')})`
  if (isDecimalLike(value)) return `decimal(${value.toString()})`
  if (!isPlain(value)) return undefined
  const fields: string[] = []
  for (const key of Object.keys(value).sort()) {
    const field = (value as Record<string, unknown>)[key]
    // To Prisma it is as if it were not there.
    if (field === undefined) continue
    const text = canonical(field)
    if (text === undefined) return undefined
    fields.push(`${JSON.stringify(key)}:${text}`)
  }
  return `{${fields.join()}}`
}
