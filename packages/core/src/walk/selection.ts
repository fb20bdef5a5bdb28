import { type Args, isArgs } from './args.ts'
import { fieldIn, type RowScope } from './row-scope.ts'
import { narrowWhere } from './where.ts'

/** What must be looked at in a result, because Prisma can't filter it in the query. */
export type Checks = ReadonlyMap<string, Check>

/** One relation of a result. */
export interface Check {
  /** The related model. */
  readonly model: string
  /** The deciding field of the related row; absent where only what is below it has to be looked at. */
  readonly field?: string
  /** Whether the caller did not ask for that field. */
  readonly strip: boolean
  readonly isRequired: boolean
  readonly below?: Checks
}

/** Arguments with narrowed `include`, `select` and `_count`, and what is left to check in the result. */
export function narrowSelection(
  args: Args,
  model: string,
  scope: RowScope,
): { readonly args: Args; readonly checks: Checks | undefined } {
  let scoped = args
  let checks: Checks | undefined
  for (const key of ['include', 'select'] as const) {
    const chosen = args[key]
    if (!isArgs(chosen)) continue
    const found = narrowChosen(chosen, model, scope)
    if (found.chosen !== chosen) scoped = { ...scoped, [key]: found.chosen }
    checks = found.checks ?? checks
  }
  return { args: scoped, checks }
}

function narrowChosen(
  chosen: Args,
  model: string,
  scope: RowScope,
): { readonly chosen: Args; readonly checks: Checks | undefined } {
  let scoped: Record<string, unknown> | undefined
  const checks = new Map<string, Check>()
  for (const [name, value] of Object.entries(chosen)) {
    if (value === undefined || value === false || value === null) continue
    const field = fieldIn(scope, model, name)
    if (field === undefined && name === '_count') {
      scoped ??= { ...chosen }
      scoped[name] = narrowCount(value, model, scope)
    }
    if (field?.kind !== 'relation') continue
    const below = narrowSelection(isArgs(value) ? value : {}, field.type, scope)
    const decidingField = scope.fieldOf(field.type)
    scoped ??= { ...chosen }
    if (field.isList) {
      const where = narrowWhere(below.args.where, field.type, scope)
      scoped[name] = where === undefined ? emptyAsTrue(below.args) : { ...below.args, where }
      if (below.checks)
        checks.set(name, { model: field.type, strip: false, isRequired: false, below: below.checks })
      continue
    }
    const { args, strip } =
      decidingField === undefined
        ? { args: below.args, strip: false }
        : withField(below.args, decidingField, scope.isOmitted(field.type))
    scoped[name] = emptyAsTrue(args)
    if (decidingField === undefined && !below.checks) continue
    checks.set(name, {
      model: field.type,
      ...(decidingField !== undefined && { field: decidingField }),
      strip,
      isRequired: field.isRequired,
      ...(below.checks && { below: below.checks }),
    })
  }
  return { chosen: scoped ?? chosen, checks: checks.size > 0 ? checks : undefined }
}

function emptyAsTrue(args: Args): Args | true {
  return Object.keys(args).length === 0 ? true : args
}

/** Sees to it that the result holds the deciding field. */
function withField(
  args: Args,
  field: string,
  isOmitted: boolean,
): { readonly args: Args; readonly strip: boolean } {
  if (isArgs(args.select)) {
    if (args.select[field] === true) return { args, strip: false }
    return { args: { ...args, select: { ...args.select, [field]: true } }, strip: true }
  }
  const omit = isArgs(args.omit) ? args.omit : {}
  if ((omit[field] ?? isOmitted) !== true) return { args, strip: false }
  return { args: { ...args, omit: { ...omit, [field]: false } }, strip: true }
}

function narrowCount(value: unknown, model: string, scope: RowScope): unknown {
  const lists = Object.entries(scope.metadata.models[model]?.fields ?? {}).filter(
    ([, { kind, isList }]) => kind === 'relation' && isList,
  )
  const asked: Args =
    isArgs(value) && isArgs(value.select)
      ? value.select
      : Object.fromEntries(lists.map(([name]) => [name, true]))
  const select: Record<string, unknown> = { ...asked }
  for (const [name, { type }] of lists) {
    const given = asked[name]
    if (given !== true && !isArgs(given)) continue
    const where = narrowWhere(isArgs(given) ? given.where : undefined, type, scope)
    select[name] = where === undefined ? true : { where }
  }
  return { select }
}
