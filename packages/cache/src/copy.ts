// A hit in memory must be as safe against mutation as one from Redis and much faster. What has to be copied is the
// same for every hit of one entry, so it is found out once, when the entry is stored.

/** Makes a copy that shares nothing mutable with the original. */
export type Copier = () => unknown

type PlainObject = Record<string, unknown>

/**
 * Takes a private copy of `value` and returns what makes further ones. `undefined` for a value with a part that
 * can't be copied faithfully, such as an instance of a class.
 */
export function copierOf(value: unknown): Copier | undefined {
  const plan = planOf(value)
  if (plan === undefined) return undefined
  if (plan === 'same') return () => value
  const kept = plan(value as never)
  return () => plan(kept as never)
}

type Plan = 'same' | ((value: never) => unknown)

function planOf(value: unknown): Plan | undefined {
  if (typeof value !== 'object' || value === null) return typeof value === 'function' ? undefined : 'same'
  if (Array.isArray(value)) return planOfArray(value)
  if (value instanceof Date) return (date: Date) => new Date(date.getTime())
  if (value instanceof Uint8Array) return (bytes: Uint8Array) => Uint8Array.prototype.slice.call(bytes)
  if (isDecimalLike(value)) return 'same'
  return isPlain(value) ? planOfObject(value) : undefined
}

function planOfObject(value: PlainObject): Plan | undefined {
  const deep: [key: string, plan: (value: never) => unknown][] = []
  for (const key of Object.keys(value)) {
    const plan = planOf(value[key])
    if (plan === undefined) return undefined
    if (plan !== 'same') deep.push([key, plan])
  }
  if (deep.length === 0) return (object: PlainObject) => ({ ...object })
  return (object: PlainObject) => {
    const copy = { ...object }
    for (const [key, plan] of deep) copy[key] = plan(object[key] as never)
    return copy
  }
}

function planOfArray(value: readonly unknown[]): Plan | undefined {
  const plans: ((value: never) => unknown)[] = []
  let isFlat = true
  for (const element of value) {
    const plan = planOf(element)
    if (plan === undefined) return undefined
    if (plan !== 'same') isFlat = false
    plans.push(plan === 'same' ? (same) => same : plan)
  }
  if (isFlat) return (array: readonly unknown[]) => array.slice()
  return (array: readonly unknown[]) => array.map((element, index) => plans[index]?.(element as never))
}

/** An object of no class, as rows are. */
export function isPlain(value: object): value is PlainObject {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

/** Decimal.js and its likes: digits, exponent and sign. Their methods never change them, so they can be shared. */
export function isDecimalLike(value: object): value is { toString(): string; readonly constructor: unknown } {
  const { d, e, s, toFixed } = value as { d?: unknown; e?: unknown; s?: unknown; toFixed?: unknown }
  return (
    typeof toFixed === 'function' &&
    (Array.isArray(d) || d === null) &&
    typeof e === 'number' &&
    typeof s === 'number'
  )
}
