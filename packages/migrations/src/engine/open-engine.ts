import { isDbError } from '@org/db-core'
import type { SchemaEngine } from '@prisma/schema-engine-wasm'
import { MigrationError } from '../errors.ts'
import type { Session } from '../session.ts'
import { engineAdapter } from './adapter.ts'
import { loadEngine } from './load-engine.ts'
import { offlineSession } from './offline.ts'

/** What an engine works on. Without a database it compares schemas only. */
export interface EngineOptions {
  readonly main?: () => Promise<Session>
  readonly shadow?: () => Promise<Session>
  readonly schema?: string
}

/**
 * Asks Prisma's schema engine, which runs in this process, and frees it.
 * @throws MigrationError `DB_MIGRATIONS_ENGINE`
 */
export async function askEngine<T>(
  options: EngineOptions,
  ask: (engine: SchemaEngine) => Promise<T>,
): Promise<T> {
  const { SchemaEngine } = await loadEngine()
  // The engine never gives up its lock; it relies on the end of the connection.
  const opened: Session[] = []
  const noted = (open: (() => Promise<Session>) | undefined) =>
    open &&
    (async () => {
      const session = await open()
      opened.push(session)
      return session
    })
  const adapter = engineAdapter({
    main: noted(options.main ?? (async () => offlineSession())),
    shadow: noted(options.shadow),
    schema: options.schema ?? 'public',
  })
  let engine: SchemaEngine | undefined
  try {
    engine = await SchemaEngine.new({ datamodels: undefined }, () => undefined, adapter)
    return await ask(engine)
  } catch (error) {
    if (isDbError(error)) throw error
    throw new MigrationError('DB_MIGRATIONS_ENGINE', `Prisma's schema engine refuses: ${messageOf(error)}`, {
      cause: error,
    })
  } finally {
    engine?.free()
    for (const session of opened) await session.close()
  }
}

/** The engine's errors are JSON with a message for users in it. */
function messageOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error)
  try {
    const { message } = JSON.parse(text) as { message?: unknown }
    return typeof message === 'string' ? message : text
  } catch {
    // Not all of its errors are JSON.
    return text
  }
}
