import { createHash } from 'node:crypto'
import type { DatabaseConfig } from '../config.ts'

interface Living {
  readonly fingerprint: string
  readonly database: { close(): Promise<void> }
}

const key = Symbol.for('@org/db-core/instances')
// Reloaded modules are new copies; only what hangs on the process itself outlives them.
const registry = globalThis as { [key]?: Map<string, Living> }

/** Returns the living database of that name if it was made from the same configuration, else makes one. */
export function livingInstance<T extends { close(): Promise<void> }>(
  name: string,
  config: DatabaseConfig,
  create: () => T,
): T {
  registry[key] ??= new Map()
  const fingerprint = createHash('sha256').update(JSON.stringify(config)).digest('hex')
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
