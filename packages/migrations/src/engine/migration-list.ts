import { resolve } from 'node:path'
import type { MigrationList } from '@prisma/schema-engine-wasm'
import type { Migration } from '../folder.ts'

/** A folder of migrations as the engine wants it. */
export function migrationList(directory: string, migrations: readonly Migration[]): MigrationList {
  return {
    baseDir: resolve(directory),
    lockfile: { path: 'migration_lock.toml', content: 'provider = "postgresql"\n' },
    shadowDbInitScript: '',
    migrationDirectories: migrations.map(({ name, sql }) => ({
      path: name,
      migrationFile: { path: 'migration.sql', content: { tag: 'ok', value: sql } },
    })),
  }
}
