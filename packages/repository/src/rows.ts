import type { Access } from './access.ts'

type Row = Readonly<Record<string, unknown>>
type Args = Readonly<Record<string, unknown>>

/** How rows are asked for, with fields that are needed beside, and how these are taken out again. */
export interface Finder {
  find(where: readonly object[], orderBy: readonly object[], take: number): Promise<readonly Row[]>
  /** Rows as the caller is to get them. */
  toItems(rows: readonly Row[]): never[]
}

/** The rows that the options choose, with `fields` in them. */
export function finder(access: Access, options: object, fields: readonly string[]): Finder {
  const { where, ...selection } = access.args(options) as Args
  const { args, added } = withFields(selection, fields)
  return {
    async find(conditions, orderBy, take) {
      const all = [...(where === undefined ? [] : [where as object]), ...conditions]
      const filter = all.length > 1 ? { AND: all } : all[0]
      return (await access.perform('findMany', {
        ...args,
        ...(filter && { where: filter }),
        orderBy: [...orderBy],
        take,
      })) as readonly Row[]
    },
    toItems: (rows) => access.many(added.length === 0 ? rows : rows.map((row) => without(row, added))),
  }
}

/** The selection with these fields in it, and which of them were not asked for. */
function withFields(
  selection: Args,
  fields: readonly string[],
): { readonly args: Args; readonly added: readonly string[] } {
  const { select, omit } = selection
  if (isArgs(select)) {
    const added = fields.filter((field) => select[field] !== true)
    return { args: { ...selection, select: { ...select, ...toEach(added, true) } }, added }
  }
  if (isArgs(omit)) {
    const added = fields.filter((field) => omit[field] === true)
    return { args: { ...selection, omit: { ...omit, ...toEach(added, false) } }, added }
  }
  return { args: selection, added: [] }
}

function toEach(fields: readonly string[], value: boolean): Args {
  return Object.fromEntries(fields.map((field) => [field, value]))
}

function without(row: Row, fields: readonly string[]): Row {
  const rest: Record<string, unknown> = {}
  for (const name in row) if (!fields.includes(name)) rest[name] = row[name]
  return rest
}

function isArgs(value: unknown): value is Args {
  return typeof value === 'object' && value !== null
}
