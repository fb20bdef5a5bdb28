import type { Operation } from '@org/db-core'
import { type Args, isArgs } from '@org/db-core/walk'
import { delegateOf, type Territory } from './deletion.ts'
import { runInMode } from './mode.ts'

// `editor: { upsert: { create, update } }`: Prisma can be given a condition on the editor, but fails (7.10: "missing
// FROM-clause entry") as soon as there is none that meets it. So it is looked up which of both is meant.

/** The nested upserts of an operation through relations that lead to one row, of models that are deleted softly. */
export function singleUpserts(
  { action, args }: Pick<Operation, 'action' | 'args'>,
  model: string,
  { metadata, models }: Territory,
): readonly string[] {
  const data = isArgs(args) ? args[dataOf(action)] : undefined
  if (!isArgs(data)) return []
  const fields = metadata.models[model]?.fields ?? {}
  return Object.keys(data).filter((name) => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined
    if (field?.kind !== 'relation' || field.isList || !models.has(field.type)) return false
    const change = data[name]
    return isArgs(change) && isArgs(change.upsert) && change.upsert.where === undefined
  })
}

function dataOf(action: string): string {
  return action === 'update' ? 'data' : action === 'upsert' ? 'update' : ''
}

/** The arguments with `update` for rows that are there, and `create` for those that are not, or not any more. */
export async function settleUpserts(
  operation: Pick<Operation, 'action' | 'args'>,
  { model, names }: { readonly model: string; readonly names: readonly string[] },
  territory: Territory,
): Promise<Args> {
  const { metadata, models } = territory
  const { delegate = '', fields = {} } = metadata.models[model] ?? {}
  const markOf = (name: string): string => models.get(fields[name]?.type ?? '')?.field ?? ''
  const args = operation.args as Args
  const select = Object.fromEntries(names.map((name) => [name, { select: { [markOf(name)]: true } }]))
  const rows = delegateOf(territory, delegate)
  const found = await runInMode('with', () => rows.findUnique({ where: args.where, select }))
  const key = dataOf(operation.action)
  const data: Record<string, unknown> = { ...(args[key] as Args) }
  for (const name of names) {
    const { upsert, ...others } = data[name] as Args
    const { create, update } = upsert as Args
    const related = found?.[name]
    const isThere = isArgs(related) && related[markOf(name)] === null
    data[name] = { ...others, ...(isThere ? { update } : { create }) }
  }
  return { ...args, [key]: data }
}
