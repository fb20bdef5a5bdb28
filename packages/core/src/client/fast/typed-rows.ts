import { currentContext } from '../../context.ts'
import type { TypedStatement } from '../../database-of.ts'
import type { SchemaMetadata } from '../../metadata.ts'
import type { Ambient } from '../ambient.ts'
import type { RowSecurity } from '../row-security.ts'
import { columnTexts } from './data-row.ts'
import type { FastServer } from './fast-server.ts'
import { Prepared } from './prepared.ts'
import { tableOf } from './table.ts'

/** What reading rows of SQL as Prisma's needs around it. */
export interface TypedRowsOptions {
  readonly metadata: SchemaMetadata | undefined
  readonly schema: string
  readonly ambient: Ambient
  readonly rowSecurity: RowSecurity | undefined
  readonly primary: FastServer
}

/** Rows with values as Prisma returns them, and the texts of the columns behind the fields. */
export type TypedRows = (
  statement: TypedStatement,
) => Promise<readonly { readonly row: object; readonly others: readonly (string | null)[] }[]>

/** Makes it for one database. */
export function createTypedRows(options: TypedRowsOptions): TypedRows {
  const { metadata, schema, ambient, rowSecurity, primary } = options
  return async ({ model, fields, text, values }) => {
    const table = metadata && tableOf(model, metadata, schema)
    if (!table) throw new TypeError(`There is no metadata of the model ${model}`)
    const scope = ambient.scope()
    if (scope?.ended) throw scope.ended
    const context = currentContext()
    const grant = rowSecurity?.grant(context, { model, action: 'sql' })
    if (grant && scope) rowSecurity?.join(scope.root, grant)
    const prepared = new Prepared(text, { table, fields })
    const rows: { readonly row: object; readonly others: readonly (string | null)[] }[] = []
    await primary.send(prepared, values, { context, scope, grant }, (bytes, at) => {
      rows.push({ row: prepared.decode(bytes, at), others: columnTexts(bytes, at, fields.length) })
    })
    return rows
  }
}
