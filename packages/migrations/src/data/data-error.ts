import { basename } from 'node:path'
import { isDbError } from '@org/db-core'
import { MigrationError } from '../errors.ts'
import type { Migration } from '../folder.ts'

/**
 * The failure of a `data.ts`, whose own message may name values and stays in `cause`: what kind of error it was, and
 * where in the file.
 */
export function dataError(error: unknown, { name, dataFile = '' }: Migration): MigrationError {
  if (error instanceof MigrationError) return error
  const file = basename(dataFile)
  const line = lineIn(file, error)
  const kind = isDbError(error) ? error.code : error instanceof Error ? error.name : typeof error
  return new MigrationError(
    'DB_MIGRATIONS_DATA_FAILED',
    `${name}/${file}${line === undefined ? '' : `, line ${line}`}: the data migration failed with ${kind}`,
    {
      cause: error,
      migration: name,
      file,
      line,
      retryable: isDbError(error) && error.retryable,
    },
  )
}

/** Of the innermost call in the file. */
function lineIn(file: string, error: unknown): number | undefined {
  const stack = error instanceof Error ? (error.stack ?? '').slice(error.message.length) : ''
  const line = new RegExp(`[/\\\\]${file.replace('.', '\\.')}[^:\\n]*:(\\d+):\\d+`).exec(stack)?.[1]
  return line === undefined ? undefined : Number(line)
}
