import type { DatabaseLike, ModelMetadata } from '@org/db-core'
import { identifier } from './identifier.ts'

/** The PostgreSQL schema in which Prisma looks for the model's table; `undefined` where the search path decides. */
export function schemaOf(
  model: ModelMetadata,
  database: Pick<DatabaseLike, 'isUnqualified' | 'config'>,
): string | undefined {
  return model.schema ?? (database.isUnqualified ? undefined : (database.config.schema ?? 'public'))
}

/** The model's table as SQL names it. */
export function tableOf(
  model: ModelMetadata,
  database: Pick<DatabaseLike, 'isUnqualified' | 'config'>,
): string {
  const schema = schemaOf(model, database)
  return `${schema === undefined ? '' : `${identifier(schema)}.`}${identifier(model.table)}`
}
