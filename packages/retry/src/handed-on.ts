import { isDbError } from '@org/db-core'

const registryKey = Symbol.for('@org/db-retry/handedOn')
// Two copies of this package in one process must know of each other, or their retries would multiply.
const registry = globalThis as { [registryKey]?: WeakSet<object> }
registry[registryKey] ??= new WeakSet()
const handedOn: WeakSet<object> = registry[registryKey]

/** Notes that a level has given up on the error, so that no level further out tries again. */
export function handOn(error: unknown): void {
  if (isObject(error)) handedOn.add(error)
}

/** Whether a level further in has given up on the error, or on one that it was put around. */
export function wasHandedOn(error: unknown): boolean {
  let current = error
  for (let depth = 0; depth < 5 && isObject(current); depth += 1) {
    if (handedOn.has(current)) return true
    // What a `DbError` was caused by may have happened to other work, and it has decided for itself.
    if (isDbError(current)) return false
    current = Reflect.get(current, 'cause')
  }
  return false
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
