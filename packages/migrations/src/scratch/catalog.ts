import type { SqlExecutor } from '@org/db-core'

/** Every object of a database by name, with its definition: `table public.film` → its definition as text. */
export type Catalog = ReadonlyMap<string, string>

/** One difference between two catalogs. */
export interface CatalogDifference {
  /** `missing`: only the expected one has it. `unexpected`: only the actual one has it. */
  readonly kind: 'missing' | 'unexpected' | 'changed'
  /** What and which: `column public.film.title`. */
  readonly object: string
  readonly expected: string | undefined
  readonly actual: string | undefined
}

/**
 * Reads everything that a migration can define: schemas, tables, columns, constraints, indexes, sequences, views,
 * functions, triggers, types, policies, rules, statistics, extensions, comments, privileges, publications. Neither
 * data, nor the order of columns, nor who owns what.
 */
export async function readCatalog(sql: SqlExecutor): Promise<Catalog> {
  const parts: (readonly { readonly object: string; readonly definition: string | null }[])[] = []
  // Without a search path every name in a definition is written out.
  await sql.query("SELECT set_config('search_path', '', false)")
  for (const query of queries) parts.push(await sql.query(query))
  const catalog = new Map<string, string>()
  for (const { object, definition } of parts.flat()) catalog.set(object, definition ?? '')
  return catalog
}

/** What differs, in the order of names. */
export function compareCatalogs(expected: Catalog, actual: Catalog): readonly CatalogDifference[] {
  const names = [...new Set([...expected.keys(), ...actual.keys()])].sort()
  return names.flatMap((object): CatalogDifference[] => {
    const [wanted, found] = [expected.get(object), actual.get(object)]
    if (wanted === found) return []
    const kind = found === undefined ? 'missing' : wanted === undefined ? 'unexpected' : 'changed'
    return [{ kind, object, expected: wanted, actual: found }]
  })
}

/** Not PostgreSQL's, not ours, not a temporary one. */
const ownSchema = (column: string): string =>
  `${column} NOT IN ('pg_catalog', 'information_schema', 'orgdb') AND ${column} NOT LIKE 'pg\\_t%'`
/** What an extension brings is described by the extension. */
const notOfExtension = (catalog: string, oid: string): string =>
  `NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = '${catalog}'::pg_catalog.regclass AND e.objid = ${oid} AND e.deptype = 'e')`
/** Who may do what, but for the owner, who differs between databases. */
const grants = (kind: string, acl: string, owner: string): string =>
  `(SELECT 'grants ' || string_agg(concat_ws(' ', CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::pg_catalog.regrole::text END, g.privilege_type,
      CASE WHEN g.is_grantable THEN 'grantable' END), ', ' ORDER BY g.grantee::pg_catalog.regrole::text, g.privilege_type)
    FROM pg_catalog.aclexplode(coalesce(${acl}, pg_catalog.acldefault('${kind}', ${owner}))) g WHERE g.grantee <> ${owner})`
const relation = (
  where: string,
): string => `FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${ownSchema('n.nspname')} AND c.relname <> '_prisma_migrations' AND ${notOfExtension('pg_catalog.pg_class', 'c.oid')} AND ${where}`
const onRelation = `JOIN pg_catalog.pg_class c ON c.oid = x.relation JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE ${ownSchema('n.nspname')} AND c.relname <> '_prisma_migrations' AND ${notOfExtension('pg_catalog.pg_class', 'c.oid')}`
const name = "n.nspname || '.' || c.relname"

const queries: readonly string[] = [
  `SELECT 'schema ' || n.nspname AS object, coalesce(${grants('n', 'n.nspacl', 'n.nspowner')}, '') AS definition FROM pg_catalog.pg_namespace n
    WHERE ${ownSchema('n.nspname')} AND ${notOfExtension('pg_catalog.pg_namespace', 'n.oid')}`,
  `SELECT 'table ' || ${name} AS object, concat_ws(' ', c.relkind, c.relpersistence, 'rls', c.relrowsecurity, c.relforcerowsecurity,
      'replica', c.relreplident, c.reloptions::text, ${grants('r', 'c.relacl', 'c.relowner')}, pg_catalog.pg_get_expr(c.relpartbound, c.oid),
      CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END,
      (SELECT string_agg(i.inhparent::pg_catalog.regclass::text, ',' ORDER BY i.inhseqno) FROM pg_catalog.pg_inherits i WHERE i.inhrelid = c.oid)) AS definition
    ${relation("c.relkind IN ('r', 'p', 'f')")}`,
  `SELECT 'column ' || ${name} || '.' || a.attname AS object, concat_ws(' ', pg_catalog.format_type(a.atttypid, a.atttypmod),
      CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_catalog.pg_get_expr(d.adbin, d.adrelid), 'identity ' || nullif(a.attidentity::text, ''),
      'generated ' || nullif(a.attgenerated::text, ''), 'storage ' || a.attstorage::text, 'collation ' || nullif(a.attcollation, 0)::pg_catalog.regcollation::text,
      a.attacl::text, a.attoptions::text) AS definition
    FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    JOIN LATERAL (SELECT a.attrelid AS relation) x ON true ${onRelation} AND c.relkind IN ('r', 'p', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped`,
  `SELECT 'constraint ' || ${name} || '.' || k.conname AS object,
      pg_catalog.pg_get_constraintdef(k.oid) || CASE WHEN k.convalidated THEN '' ELSE ' (not validated)' END AS definition
    FROM pg_catalog.pg_constraint k JOIN LATERAL (SELECT k.conrelid AS relation) x ON true ${onRelation} AND k.contype <> 'n'`,
  `SELECT 'index ' || ${name} AS object, pg_catalog.pg_get_indexdef(i.indexrelid) || CASE WHEN i.indisvalid THEN '' ELSE ' (invalid)' END
      || CASE WHEN i.indisclustered THEN ' (clustered)' ELSE '' END AS definition
    FROM pg_catalog.pg_index i JOIN LATERAL (SELECT i.indexrelid AS relation) x ON true ${onRelation}
      AND i.indrelid NOT IN (SELECT t.oid FROM pg_catalog.pg_class t WHERE t.relname = '_prisma_migrations')`,
  `SELECT 'sequence ' || ${name} AS object, concat_ws(' ', s.seqtypid::pg_catalog.regtype, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, s.seqcycle, ${grants('s', 'c.relacl', 'c.relowner')}) AS definition
    FROM pg_catalog.pg_sequence s JOIN LATERAL (SELECT s.seqrelid AS relation) x ON true ${onRelation}`,
  `SELECT 'view ' || ${name} AS object, concat_ws(' ', c.relkind, pg_catalog.pg_get_viewdef(c.oid), c.reloptions::text, ${grants('r', 'c.relacl', 'c.relowner')}) AS definition ${relation("c.relkind IN ('v', 'm')")}`,
  `SELECT 'function ' || p.oid::pg_catalog.regprocedure AS object, concat_ws(' ',
      CASE WHEN p.prokind = 'a' THEN 'aggregate ' || pg_catalog.pg_get_function_result(p.oid) ELSE pg_catalog.pg_get_functiondef(p.oid) END, ${grants('f', 'p.proacl', 'p.proowner')}) AS definition
    FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace
    WHERE ${ownSchema('n.nspname')} AND ${notOfExtension('pg_catalog.pg_proc', 'p.oid')}`,
  `SELECT 'trigger ' || ${name} || '.' || t.tgname AS object, pg_catalog.pg_get_triggerdef(t.oid) || ' ' || t.tgenabled::text AS definition
    FROM pg_catalog.pg_trigger t JOIN LATERAL (SELECT t.tgrelid AS relation) x ON true ${onRelation} AND NOT t.tgisinternal`,
  `SELECT 'type ' || n.nspname || '.' || t.typname AS object, concat_ws(' ', t.typtype,
      (SELECT string_agg(pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid),
      CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END, CASE WHEN t.typnotnull THEN 'not null' END, t.typdefault,
      (SELECT string_agg(k.conname || ' ' || pg_catalog.pg_get_constraintdef(k.oid), ', ' ORDER BY k.conname) FROM pg_catalog.pg_constraint k WHERE k.contypid = t.oid AND k.contype <> 'n'),
      (SELECT r.rngsubtype::pg_catalog.regtype::text FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid), ${grants('T', 't.typacl', 't.typowner')}) AS definition
    FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
    WHERE ${ownSchema('n.nspname')} AND t.typtype IN ('e', 'd', 'r') AND ${notOfExtension('pg_catalog.pg_type', 't.oid')}`,
  `SELECT 'policy ' || ${name} || '.' || p.polname AS object, concat_ws(' ', p.polcmd, p.polpermissive, p.polroles::pg_catalog.regrole[]::text,
      pg_catalog.pg_get_expr(p.polqual, p.polrelid), 'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) AS definition
    FROM pg_catalog.pg_policy p JOIN LATERAL (SELECT p.polrelid AS relation) x ON true ${onRelation}`,
  `SELECT 'rule ' || ${name} || '.' || r.rulename AS object, pg_catalog.pg_get_ruledef(r.oid) AS definition
    FROM pg_catalog.pg_rewrite r JOIN LATERAL (SELECT r.ev_class AS relation) x ON true ${onRelation} AND r.rulename <> '_RETURN'`,
  `SELECT 'statistics ' || n.nspname || '.' || s.stxname AS object, pg_catalog.pg_get_statisticsobjdef(s.oid) AS definition
    FROM pg_catalog.pg_statistic_ext s JOIN pg_catalog.pg_namespace n ON n.oid = s.stxnamespace WHERE ${ownSchema('n.nspname')}`,
  `SELECT 'extension ' || e.extname AS object, e.extversion || ' in ' || n.nspname AS definition
    FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace`,
  `SELECT 'default privileges ' || concat_ws(' ', d.defaclrole::pg_catalog.regrole, nullif(d.defaclnamespace, 0)::pg_catalog.regnamespace, d.defaclobjtype) AS object,
      d.defaclacl::text AS definition FROM pg_catalog.pg_default_acl d`,
  `SELECT 'event trigger ' || t.evtname AS object, concat_ws(' ', t.evtevent, t.evtfoid::pg_catalog.regproc, t.evtenabled, t.evttags::text) AS definition FROM pg_catalog.pg_event_trigger t`,
  `SELECT 'publication ' || p.pubname AS object, concat_ws(' ', p.puballtables, p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate,
      (SELECT string_agg(r.prrelid::pg_catalog.regclass::text, ', ' ORDER BY 1) FROM pg_catalog.pg_publication_rel r WHERE r.prpubid = p.oid)) AS definition FROM pg_catalog.pg_publication p`,
  `SELECT 'comment ' || a.type || ' ' || a.identity AS object, d.description AS definition
    FROM pg_catalog.pg_description d CROSS JOIN LATERAL pg_catalog.pg_identify_object(d.classoid, d.objoid, d.objsubid) a
    WHERE d.objoid >= 16384 AND a.type <> 'extension' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e WHERE e.classid = d.classoid AND e.objid = d.objoid AND e.deptype = 'e')
      AND coalesce(a.schema, '') <> 'orgdb'`,
]
