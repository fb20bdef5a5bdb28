import { createHash } from 'node:crypto'
import type { FieldMetadata, SchemaMetadata } from '../metadata.ts'
import { quoted } from './check-references.ts'

/** Ends the names of triggers and functions that look a foreign key up. */
export const referenceSuffix = '_same_tenant'

/**
 * For each foreign key from one tenant table to another that leaves the tenant out: a constraint trigger that looks
 * the row up under the policies of who writes. The documentation of PostgreSQL says why it is needed: "referential
 * integrity checks […] always bypass row security" (section 5.9, Row Security Policies). A trigger and no condition
 * in the policy, since a policy that reads its own table is an endless recursion to PostgreSQL.
 */
export function rowSecurityReferences(
  { metadata, schema }: { readonly metadata: SchemaMetadata; readonly schema?: string },
  tenants: ReadonlyMap<string, string>,
): readonly string[] {
  return [...tenants.keys()].flatMap((name) => {
    const model = metadata.models[name]
    if (!model) return []
    const from = model.schema ?? schema
    return Object.values(model.fields).flatMap((field) => {
      const target = metadata.models[field.type]
      const { relation } = field
      if (!relation || !target || !tenants.has(field.type) || includesTenant(field, tenants.get(field.type)))
        return []
      const columns = relation.fields.map((each) => model.fields[each]?.column ?? each)
      const keys = relation.references.map((each) => target.fields[each]?.column ?? each)
      const constraint = constraintOf(metadata, name, relation.fields)
      const own = quoted(nameOf(constraint))
      return trigger({
        guard: from === undefined ? own : `${quoted(from)}.${own}`,
        name: own,
        constraint,
        table: tableName(model.table, from),
        target: tableName(target.table, target.schema ?? schema),
        columns,
        keys,
      })
    })
  })
}

/** The table with its schema, quoted. */
export function tableName(table: string, schema: string | undefined): string {
  return schema === undefined ? quoted(table) : `${quoted(schema)}.${quoted(table)}`
}

function includesTenant({ relation }: FieldMetadata, tenantField: string | undefined): boolean {
  return tenantField !== undefined && relation?.references.includes(tenantField) === true
}

function constraintOf(metadata: SchemaMetadata, model: string, fields: readonly string[]): string {
  const found = Object.entries(metadata.constraints).find(
    ([, of]) => of.model === model && of.kind === 'foreign-key' && of.fields.join('\n') === fields.join('\n'),
  )
  // Where Prisma emulates relations the database has no constraint; its trigger is needed all the same.
  return found?.[0] ?? `${metadata.models[model]?.table}_${fields.join('_')}_fkey`
}

/** PostgreSQL cuts names after 63 bytes; what would be cut is made unique by a hash. */
function nameOf(constraint: string): string {
  const name = `${constraint}${referenceSuffix}`
  if (Buffer.byteLength(name) <= 63) return name
  const hash = createHash('sha256').update(constraint).digest('hex').slice(0, 8)
  const start = Buffer.from(constraint).subarray(0, 62 - hash.length - referenceSuffix.length)
  return `${start.toString().replace(/\uFFFD$/, '')}_${hash}${referenceSuffix}`
}

function trigger(of: {
  readonly guard: string
  readonly name: string
  readonly constraint: string
  readonly table: string
  readonly target: string
  readonly columns: readonly string[]
  readonly keys: readonly string[]
}): string {
  const present = of.columns.map((column) => `NEW.${quoted(column)} IS NOT NULL`)
  const same = of.columns.map((column, index) => `r.${quoted(of.keys[index] ?? '')} = NEW.${quoted(column)}`)
  const constraint = `'${of.constraint.replaceAll("'", "''")}'`
  return `CREATE OR REPLACE FUNCTION ${of.guard}() RETURNS trigger LANGUAGE plpgsql AS $guard$
BEGIN
  IF ${present.join(' AND ')} AND NOT EXISTS (SELECT FROM ${of.target} AS r WHERE ${same.join(' AND ')}) THEN
    RAISE foreign_key_violation USING
      MESSAGE = format('insert or update on table "%s" violates foreign key constraint "%s"', TG_TABLE_NAME, ${constraint}),
      CONSTRAINT = ${constraint}, TABLE = TG_TABLE_NAME, SCHEMA = TG_TABLE_SCHEMA;
  END IF;
  RETURN NULL;
END $guard$;
DROP TRIGGER IF EXISTS ${of.name} ON ${of.table};
CREATE CONSTRAINT TRIGGER ${of.name} AFTER INSERT OR UPDATE OF ${of.columns.map(quoted).join(', ')} ON ${of.table}
  DEFERRABLE INITIALLY IMMEDIATE FOR EACH ROW EXECUTE FUNCTION ${of.guard}();
`
}
