import { pathToFileURL } from 'node:url'
import { MigrationError } from '../errors.ts'
import type { Migration } from '../folder.ts'
import type { DataMigration } from './define.ts'

/**
 * The data migration of a migration's `data.ts`.
 * @throws MigrationError `DB_MIGRATIONS_DATA_LOAD`
 */
export async function loadDataMigration(
  migration: Migration,
  loadModule: (path: string) => Promise<unknown> = importModule,
): Promise<DataMigration | undefined> {
  if (migration.dataFile === undefined) return undefined
  const fail = (problem: string, cause?: unknown) =>
    new MigrationError('DB_MIGRATIONS_DATA_LOAD', `${migration.name}: ${problem}`, {
      migration: migration.name,
      cause,
    })
  let loaded: unknown
  try {
    loaded = await loadModule(migration.dataFile)
  } catch (error) {
    throw fail(
      `the data migration can't be loaded: ${error instanceof Error ? error.message : String(error)}`,
      error,
    )
  }
  const found = defaultOf(defaultOf(loaded))
  if (!isDataMigration(found)) throw fail('the default export is no data migration')
  return found
}

async function importModule(path: string): Promise<unknown> {
  const url = pathToFileURL(path).href
  try {
    return await import(url)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_UNKNOWN_FILE_EXTENSION'))
      throw error
    // Node reads TypeScript from 22.18 on.
    const { tsImport } = await import('tsx/esm/api')
    return tsImport(url, import.meta.url)
  }
}

/** A CommonJS module that was compiled from an ES module has its default one level deeper. */
function defaultOf(module: unknown): unknown {
  return typeof module === 'object' && module !== null && 'default' in module ? module.default : module
}

function isDataMigration(value: unknown): value is DataMigration {
  return typeof value === 'object' && value !== null && 'up' in value && typeof value.up === 'function'
}
