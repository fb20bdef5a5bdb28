import type { FieldMetadata, SchemaMetadata } from '../metadata.ts'
import { quoted } from './check-references.ts'
import { rowSecurityReferences, tableName } from './row-security-references.ts'
import { type TenantModelOptions, tenantFields } from './tenant-models.ts'

/** Which policies are wanted. */
export interface RowSecurityPolicyOptions extends TenantModelOptions {
  readonly metadata: SchemaMetadata
  /** The setting that holds the tenant: that of the option `rowSecurity` of `createDatabase`. */
  readonly setting: string
  /** The setting that opens every row while it is `on`, for `asSystem`. Default: none, and nothing opens them. */
  readonly bypassSetting?: string
  /** The PostgreSQL schema of models that name none. Default: the search path's. */
  readonly schema?: string
  /** The policies' name. Default `tenant`. */
  readonly policy?: string
}

/**
 * SQL for a migration, to be run by the tables' owner: for every tenant model row-level security, for the owner
 * too, and one policy for reading and writing. Join tables of many-to-many relations show a row if they show the
 * rows on both of its ends. Foreign keys that leave the tenant out get a trigger, because PostgreSQL checks them
 * without regard to policies: to refer to a row of another tenant is the same error as to refer to none. It can be
 * run again.
 */
export function rowSecurityPolicies(options: RowSecurityPolicyOptions): string {
  const { metadata, policy = 'tenant', schema } = options
  const fields = tenantFields(metadata, options)
  const tables = [...fields].map(([name, field]) => {
    const model = metadata.models[name]
    const column = quoted(model?.fields[field]?.column ?? field)
    const own = `${column} = ${settingAs(options.setting, model?.fields[field])}`
    return {
      table: tableName(model?.table ?? name, model?.schema ?? schema),
      condition: withBypass(own, options),
    }
  })
  const policies = [...tables, ...joinTables(options, fields)].map(({ table, condition }) =>
    [
      `ALTER TABLE ${table} ENABLE ROW LEVEL SECURITY;`,
      `ALTER TABLE ${table} FORCE ROW LEVEL SECURITY;`,
      `DROP POLICY IF EXISTS ${quoted(policy)} ON ${table};`,
      `CREATE POLICY ${quoted(policy)} ON ${table} USING (${condition}) WITH CHECK (${condition});`,
      '',
    ].join('\n'),
  )
  return [...policies, ...rowSecurityReferences(options, fields)].join('\n')
}

/** After its first use in a session an unset setting reads as '', which no other type than text can be cast from. */
function settingAs(setting: string, field: FieldMetadata | undefined): string {
  const value = `NULLIF(current_setting('${setting}', true), '')`
  const type = field && typeOf(field)
  return type === undefined ? value : `${value}::${type}`
}

function typeOf({ kind, type, nativeType }: FieldMetadata): string | undefined {
  if (nativeType?.[0] === 'Uuid') return 'uuid'
  if (kind === 'enum') return quoted(type)
  return { Int: 'integer', BigInt: 'bigint' }[type]
}

function withBypass(condition: string, { bypassSetting }: RowSecurityPolicyOptions): string {
  return bypassSetting === undefined
    ? condition
    : `${condition} OR current_setting('${bypassSetting}', true) = 'on'`
}

/** Prisma's join tables have the columns `A` and `B`, for the models in the order of their names. */
function joinTables(
  { metadata, schema }: RowSecurityPolicyOptions,
  fields: ReadonlyMap<string, string>,
): readonly { readonly table: string; readonly condition: string }[] {
  const found = new Map<string, { readonly table: string; readonly condition: string }>()
  for (const [name, model] of Object.entries(metadata.models)) {
    for (const field of Object.values(model.fields)) {
      if (field.kind !== 'relation' || !field.isList || field.relationName === undefined) continue
      const other = metadata.models[field.type]
      const isManyToMany = Object.values(other?.fields ?? {}).every(
        ({ relationName, isList }) => relationName !== field.relationName || isList,
      )
      const ends = [name, field.type].sort()
      if (!isManyToMany || !ends.some((end) => fields.has(end))) continue
      const conditions = ends.flatMap((end, index) => {
        const target = metadata.models[end]
        const key = target?.fields[target.id[0] ?? '']?.column
        if (!target || key === undefined || !fields.has(end)) return []
        const table = tableName(target.table, target.schema ?? schema)
        return [
          `EXISTS (SELECT FROM ${table} AS e WHERE e.${quoted(key)} = ${quoted(index === 0 ? 'A' : 'B')})`,
        ]
      })
      found.set(field.relationName, {
        table: tableName(`_${field.relationName}`, model.schema ?? schema),
        condition: conditions.join(' AND '),
      })
    }
  }
  return [...found.values()]
}
