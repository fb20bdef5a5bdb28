import { createHash } from 'node:crypto'

interface Living {
  readonly fingerprint: string
  readonly database: { close(): Promise<void> }
}

const key = Symbol.for('@org/db-core/instances')
// Reloaded modules are new copies; only what hangs on the process itself outlives them.
const registry = globalThis as { [key]?: Map<string, Living> }

/** Returns the living database of that name if it was made from what looks the same, else makes one. */
export function livingInstance<T extends { close(): Promise<void> }>(
  name: string,
  madeFrom: Readonly<Record<string, unknown>>,
  create: () => T,
): T {
  registry[key] ??= new Map()
  const fingerprint = createHash('sha256').update(looksOf(madeFrom)).digest('hex')
  const living = registry[key].get(name)
  if (living?.fingerprint === fingerprint) return living.database as T
  living?.database.close().catch((error: unknown) => {
    process.emitWarning(`Closing the former database ${name} failed: ${String(error)}`, 'DbInstanceWarning')
  })
  const database = create()
  registry[key].set(name, { fingerprint, database })
  return database
}

/** Forgets a closed database, so that the next call makes a new one. */
export function forgetInstance(name: string, database: object): void {
  if (registry[key]?.get(name)?.database === database) registry[key].delete(name)
}

/**
 * A text that differs where two values can be seen to differ. A reloaded module makes every object anew, so identity
 * says nothing: functions count by their source, objects of a class by its name, the others by what is in them.
 */
function looksOf(value: unknown, around: readonly object[] = []): string {
  if (typeof value === 'function') return `function ${String(value)}`
  if (typeof value !== 'object' || value === null) return `${typeof value} ${JSON.stringify(String(value))}`
  if (around.includes(value)) return 'circle'
  const inside = [...around, value]
  if (Array.isArray(value)) return `[${value.map((each) => looksOf(each, inside)).join()}]`
  const prototype: unknown = Object.getPrototypeOf(value)
  if (value instanceof RegExp || value instanceof Date) return String(value)
  if (value instanceof Map || value instanceof Set) return looksOf([...value], inside)
  if (prototype !== Object.prototype && prototype !== null) return `a ${value.constructor?.name}`
  const fields = Object.entries(value).filter(([, each]) => each !== undefined)
  return `{${fields.map(([name, each]) => `${JSON.stringify(name)}:${looksOf(each, inside)}`).join()}}`
}
