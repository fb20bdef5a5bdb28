import type { CapturedModel } from '../captured-models.ts'

/** The prefix of the messages by which a TRUNCATE tells the log of its rows. */
export const truncatePrefix = 'orgdb.outbox.truncate'

/**
 * SQL that puts the tables into a publication, with all of a changed row in the log, so that the row before, the key
 * before and large values that were not changed are known. The log says nothing of the rows of a TRUNCATE: a trigger does.
 */
export function logSql(models: readonly CapturedModel[], publication: string): string {
  if (models.length === 0) return ''
  const name = `"${publication}"`
  const tables = models.map(({ rows }) => rows.table).join(', ')
  return `
DO $outbox$ BEGIN
  IF EXISTS (SELECT FROM pg_publication WHERE pubname = '${publication}') THEN
    ALTER PUBLICATION ${name} SET TABLE ${tables};
  ELSE
    CREATE PUBLICATION ${name} FOR TABLE ${tables};
  END IF;
END $outbox$;
CREATE OR REPLACE FUNCTION orgdb.outbox_log_truncate() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $outbox$
BEGIN
  EXECUTE format(
    'SELECT count(pg_logical_emit_message(true, %L, %L || chr(10) || to_json(t)::text)) FROM %I.%I t',
    '${truncatePrefix}', json_build_array(TG_TABLE_SCHEMA, TG_TABLE_NAME)::text, TG_TABLE_SCHEMA, TG_TABLE_NAME);
  RETURN NULL;
END $outbox$;
${models.map(ofTable).join('\n')}`
}

function ofTable({ rows: { table } }: CapturedModel): string {
  return `ALTER TABLE ${table} REPLICA IDENTITY FULL;
DROP TRIGGER IF EXISTS orgdb_outbox_log_truncate ON ${table};
CREATE TRIGGER orgdb_outbox_log_truncate BEFORE TRUNCATE ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION orgdb.outbox_log_truncate();`
}
