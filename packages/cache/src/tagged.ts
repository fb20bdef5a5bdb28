import { isDecimalLike, isPlain } from './copy.ts'
import { CacheError } from './errors.ts'

// JSON and MessagePack know fewer types than rows have. What they don't know becomes an object with one key that
// begins with `$`; an object of the user's with such a key is wrapped, so that nothing is ever mistaken.

type Tree = unknown

/** How values are tagged and revived. */
export interface TaggedOptions {
  /** Whether the format has bytes of its own; JSON has not. */
  readonly keepsBytes: boolean
  /** Makes a decimal from its text. */
  readonly decimal: (text: string) => unknown
}

/** The value with everything that the format does not know tagged; the value itself where there is nothing. */
export function toTagged(value: unknown, options: Pick<TaggedOptions, 'keepsBytes'>): Tree {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $n: Object.is(value, -0) ? '-0' : String(value) }
    case 'undefined':
      return { $u: 1 }
    case 'bigint':
      return { $i: String(value) }
    case 'object':
      return value === null ? null : objectToTagged(value, options)
    default:
      throw unknownType(typeof value)
  }
}

function objectToTagged(value: object, options: Pick<TaggedOptions, 'keepsBytes'>): Tree {
  if (Array.isArray(value)) return mapped(value, options)
  if (value instanceof Date) {
    const time = value.getTime()
    return { $d: Number.isNaN(time) ? null : time }
  }
  if (value instanceof Uint8Array) {
    if (options.keepsBytes) return { $b: value }
    return { $b: Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64') }
  }
  if (isDecimalLike(value)) return { $m: value.toString() }
  if (!isPlain(value)) throw unknownType(classOf(value))
  const object = value as Record<string, unknown>
  const keys = Object.keys(object)
  // Neither format can be trusted with a property that is named like the prototype.
  if (keys.some((key) => key.charCodeAt(0) === 36 || key === '__proto__')) {
    return { $o: keys.flatMap((key) => [key, toTagged(object[key], options)]) }
  }
  let isSame = true
  const tagged: Record<string, Tree> = {}
  for (const key of keys) {
    const before = object[key]
    const after = toTagged(before, options)
    if (after !== before) isSame = false
    tagged[key] = after
  }
  return isSame ? value : tagged
}

function mapped(value: readonly unknown[], options: Pick<TaggedOptions, 'keepsBytes'>): Tree {
  let copy: unknown[] | undefined
  for (let index = 0; index < value.length; index++) {
    const after = toTagged(value[index], options)
    if (copy === undefined && after !== value[index]) copy = value.slice(0, index)
    copy?.push(after)
  }
  return copy ?? value
}

/** The value behind a tagged tree. Objects and arrays of the tree are changed and become part of it. */
export function fromTagged(tree: Tree, options: TaggedOptions): unknown {
  if (typeof tree !== 'object' || tree === null || tree instanceof Uint8Array) return tree
  if (Array.isArray(tree)) {
    for (let index = 0; index < tree.length; index++) tree[index] = fromTagged(tree[index], options)
    return tree
  }
  const object = tree as Record<string, unknown>
  for (const key in object) {
    if (key.charCodeAt(0) === 36) return revived(key, object[key], options)
    const before = object[key]
    if (typeof before !== 'object' || before === null) continue
    object[key] = fromTagged(before, options)
  }
  return object
}

function revived(tag: string, content: unknown, options: TaggedOptions): unknown {
  switch (tag) {
    case '$n':
      return Number(content)
    case '$u':
      return undefined
    case '$i':
      return BigInt(content as string)
    case '$d':
      return new Date(content === null ? Number.NaN : (content as number))
    case '$b': {
      const bytes = typeof content === 'string' ? Buffer.from(content, 'base64') : (content as Uint8Array)
      // An array of its own: a slice of a shared buffer would keep all of that alive.
      return new Uint8Array(bytes)
    }
    case '$m':
      return options.decimal(content as string)
    case '$o':
      return untangled(content as readonly unknown[], options)
    default:
      throw new CacheError('DB_CACHE_DECODE', `A stored value has the unknown tag ${tag}`)
  }
}

/** An object from its keys and values in turn. */
function untangled(pairs: readonly unknown[], options: TaggedOptions): object {
  const object = {}
  for (let index = 0; index < pairs.length; index += 2) {
    const value = fromTagged(pairs[index + 1], options)
    const property = { value, enumerable: true, configurable: true, writable: true }
    Object.defineProperty(object, pairs[index] as string, property)
  }
  return object
}

function unknownType(name: string): CacheError {
  return new CacheError('DB_CACHE_ENCODE', `A value of type ${name} can't be stored and given back as it was`)
}

function classOf(value: object): string {
  return value.constructor?.name ?? 'an object without a class'
}
