import type { CapturedModel } from './captured-models.ts'

/**
 * SQL that lets the database itself write the changes of these models into the feed: statement triggers, so that a
 * bulk write costs one more INSERT. It can be run again, and belongs into a migration where migrations are kept.
 */
export function triggerSql(models: Iterable<CapturedModel>): string {
  return [...models].map(ofModel).join('\n')
}

/** SQL that takes the triggers away. */
export function dropTriggerSql(models: Iterable<CapturedModel>): string {
  return [...models]
    .map(({ rows }) => `DROP FUNCTION IF EXISTS ${functionName(rows.model)}() CASCADE;`)
    .join('\n')
}

const functionName = (model: string): string => `orgdb."outbox_of_${model.replaceAll('"', '""')}"`
const literal = (text: string): string => `'${text.replaceAll("'", "''")}'`

function ofModel({ rows, before }: CapturedModel): string {
  const topic = literal(rows.model)
  const same = rows.idColumns.map((column) => `o.${column} = n.${column}`).join(' AND ')
  const [first = ''] = rows.idColumns
  const name = functionName(rows.model)
  const insert = 'INSERT INTO orgdb.outbox (topic, key, op, payload, before)'
  const trigger = (suffix: string, when: string): string => `
DROP TRIGGER IF EXISTS orgdb_outbox_${suffix} ON ${rows.table};
CREATE TRIGGER orgdb_outbox_${suffix} ${when} FOR EACH STATEMENT EXECUTE FUNCTION ${name}();`
  return `
CREATE OR REPLACE FUNCTION ${name}() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $outbox$
BEGIN
  IF TG_OP = 'INSERT' THEN
    ${insert} SELECT ${topic}, ${rows.key('n')}, 'c', ${rows.row('n')}, NULL FROM fresh n;
  ELSIF TG_OP = 'UPDATE' THEN
    -- A row with another key is another row.
    ${insert} SELECT ${topic}, ${rows.key('o')}, 'd', NULL, ${rows.row('o')}
      FROM stale o LEFT JOIN fresh n ON ${same} WHERE n.${first} IS NULL;
    ${insert} SELECT ${topic}, ${rows.key('n')}, CASE WHEN o.${first} IS NULL THEN 'c' ELSE 'u' END, ${rows.row('n')},
        ${before ? `CASE WHEN o.${first} IS NOT NULL THEN ${rows.row('o')} END` : 'NULL'}
      -- By image: types such as json and xml have no equality.
      FROM fresh n LEFT JOIN stale o ON ${same} WHERE o.${first} IS NULL OR o *<> n;
  ELSIF TG_OP = 'DELETE' THEN
    ${insert} SELECT ${topic}, ${rows.key('o')}, 'd', NULL, ${rows.row('o')} FROM stale o;
  ELSE
    ${insert} SELECT ${topic}, ${rows.key('o')}, 'd', NULL, ${rows.row('o')} FROM ${rows.table} o;
  END IF;
  RETURN NULL;
END $outbox$;${trigger('insert', `AFTER INSERT ON ${rows.table} REFERENCING NEW TABLE AS fresh`)}${trigger(
    'update',
    `AFTER UPDATE ON ${rows.table} REFERENCING OLD TABLE AS stale NEW TABLE AS fresh`,
  )}${trigger('delete', `AFTER DELETE ON ${rows.table} REFERENCING OLD TABLE AS stale`)}${trigger(
    'truncate',
    `BEFORE TRUNCATE ON ${rows.table}`,
  )}`
}
