import type { Column, Target } from './target.ts'

/** Whoever stores next without a number gets one behind those that rows have brought. */
export async function moveSequences(target: Target, given: readonly Column[]): Promise<void> {
  const { table, database } = target
  for (const { field, name, sql } of given) {
    if (!field.default || !('function' in field.default) || field.default.function !== 'autoincrement')
      continue
    await database.sql.query(
      `SELECT setval(s.sequence, m.top)
         FROM (SELECT pg_get_serial_sequence($1, $2)::regclass AS sequence) s, (SELECT max(${sql}) AS top FROM ${table}) m
        WHERE s.sequence IS NOT NULL AND has_sequence_privilege(s.sequence, 'UPDATE')
          AND m.top > coalesce(pg_sequence_last_value(s.sequence), 0)`,
      [table, field.column ?? name],
    )
  }
}
