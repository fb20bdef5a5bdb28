import { delegateOf, type Territory } from './deletion.ts'
import type { Dependent, SoftModel } from './models.ts'

/** Rows of one deletion that are on their way back. */
export interface Restoration {
  readonly deletionId: string
  /** What those that are back already are marked with. */
  readonly token: string
}

/** What could not come back, because another owner is deleted, comes back with that one. */
export async function handOver(
  parent: SoftModel,
  { deletionId, token }: Restoration,
  territory: Territory,
): Promise<void> {
  for (const { relation, child, deletionField } of cascades(parent, territory)) {
    const rows = delegateOf(territory, child.delegate)
    const left = { [relation]: { [parent.deletionField ?? '']: token }, [deletionField]: deletionId }
    for (const owner of child.owners) {
      if (owner.relation === relation) continue
      const mark = territory.models.get(owner.target)?.deletionField ?? ''
      const found = await rows.findMany({
        where: { AND: [left, { [owner.relation]: { [mark]: { not: deletionId } } }] },
        select: { [owner.relation]: { select: { [mark]: true } } },
      })
      const ids = found.map((row) => (row[owner.relation] as Readonly<Record<string, unknown>>)[mark])
      for (const id of new Set(ids)) {
        if (typeof id !== 'string' || id === token) continue
        const where = { AND: [left, { [owner.relation]: { [mark]: id } }] }
        const { count } = await rows.updateMany({ where, data: { [deletionField]: id } })
        if (count > 0) await followOn(child, { from: deletionId, to: id }, territory)
      }
    }
  }
}

/** What depends on rows that belong to another deletion now belongs to that as well. */
async function followOn(
  root: SoftModel,
  { from, to }: { readonly from: string; readonly to: string },
  territory: Territory,
): Promise<void> {
  const reached = [root]
  for (let parent = reached.shift(); parent; parent = reached.shift()) {
    for (const { relation, child, deletionField } of cascades(parent, territory)) {
      const { count } = await delegateOf(territory, child.delegate).updateMany({
        where: { [relation]: { [parent.deletionField ?? '']: to }, [deletionField]: from },
        data: { [deletionField]: to },
      })
      if (count > 0) reached.push(child)
    }
  }
}

interface Cascade extends Pick<Dependent, 'relation'> {
  readonly child: SoftModel
  readonly deletionField: string
}

/** The models whose rows are deleted with those of this one. */
export function cascades({ dependents }: SoftModel, { models }: Territory): readonly Cascade[] {
  return dependents.flatMap(({ effect, model, relation }) => {
    const child = models.get(model)
    const deletionField = child?.deletionField
    return effect === 'cascade' && child && deletionField !== undefined
      ? [{ relation, child, deletionField }]
      : []
  })
}
