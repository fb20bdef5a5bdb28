import { basename } from 'node:path'
import { pathToFileURL } from 'node:url'
import { MigrationError, type MigrationErrorDetails } from '../errors.ts'
import type { Migration } from '../folder.ts'
import { dataProblems } from './check.ts'
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
  const file = basename(migration.dataFile)
  const fail = (problem: string, details: Pick<MigrationErrorDetails, 'cause' | 'problems'>) =>
    new MigrationError('DB_MIGRATIONS_DATA_LOAD', `${migration.name}/${file} ${problem}`, {
      migration: migration.name,
      file,
      ...details,
    })
  let loaded: unknown
  try {
    loaded = await loadModule(migration.dataFile)
  } catch (error) {
    throw fail(`can't be loaded: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
  }
  const found = defaultOf(defaultOf(loaded))
  const problems = dataProblems(found)
  if (problems.length > 0) throw fail(`exports no data migration: ${problems.join('; ')}`, { problems })
  return found as DataMigration
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
