import type { Access } from './access.ts'
import type { Binding } from './binding.ts'
import { checkStored } from './stored.ts'

type Row = Readonly<Record<string, unknown>>
type Args = Readonly<Record<string, unknown>>

/** How rows are asked for, with fields that are needed beside, and how these are taken out again. */
export interface Finder {
  find(where: readonly object[], orderBy: readonly object[], take: number): Promise<readonly Row[]>
  /** Rows as the caller is to get them. */
  toItems(rows: readonly Row[]): never[]
}

/** Fields that the `omit` of a client leaves out of every row; only rows tell. */
const leftOut = new WeakMap<Binding, ReadonlySet<string>>()

/** The rows that the options choose, with `fields` in them. */
export function finder(access: Access, options: object, fields: readonly string[]): Finder {
  checkStored(access, fields)
  const { where, ...selection } = access.args(options) as Args
  const { binding } = access
  let { args, added } = withFields(selection, fields, leftOut.get(binding))

  function ask(conditions: readonly object[], orderBy: readonly object[], take: number): Promise<unknown> {
    const all = [...(where === undefined ? [] : [where as object]), ...conditions]
    const filter = all.length > 1 ? { AND: all } : all[0]
    return access.perform('findMany', {
      ...args,
      ...(filter && { where: filter }),
      orderBy: [...orderBy],
      take,
    })
  }

  return {
    async find(...wanted) {
      const rows = (await ask(...wanted)) as readonly Row[]
      const [row] = rows
      const missing = row === undefined ? [] : fields.filter((field) => row[field] === undefined)
      if (missing.length === 0) return rows
      const omitted = new Set([...(leftOut.get(binding) ?? []), ...missing])
      leftOut.set(binding, omitted)
      ;({ args, added } = withFields(selection, fields, omitted))
      return (await ask(...wanted)) as readonly Row[]
    },
    toItems: (rows) => access.many(added.length === 0 ? rows : rows.map((row) => without(row, added))),
  }
}

/** The selection with these fields in it, and which of them were not asked for. */
function withFields(
  selection: Args,
  fields: readonly string[],
  omitted: ReadonlySet<string> = new Set(),
): { readonly args: Args; readonly added: readonly string[] } {
  const { select } = selection
  if (isArgs(select)) {
    const added = fields.filter((field) => select[field] !== true)
    return { args: { ...selection, select: { ...select, ...toEach(added, true) } }, added }
  }
  const omit: Args = isArgs(selection.omit) ? selection.omit : {}
  const added = fields.filter((field) => omit[field] ?? omitted.has(field))
  if (added.length === 0) return { args: selection, added }
  return { args: { ...selection, omit: { ...omit, ...toEach(added, false) } }, added }
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
