import { randomUUID } from 'node:crypto'
import { DatabaseError } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { delegateOf, type Territory } from './deletion.ts'
import { runInMode } from './mode.ts'
import type { SoftModel } from './models.ts'

/** Which row to bring back, and what to return of it. */
export interface RestoreArgs {
  readonly where: object
  readonly data?: unknown
}

/**
 * Brings a deleted row back with all that was deleted with it and depends on it; what had been deleted before stays
 * deleted. @throws DatabaseError DB_NOT_FOUND where there is no such deleted row
 */
export async function restore(
  model: SoftModel,
  { where, data: _, ...selection }: RestoreArgs,
  territory: Territory,
): Promise<unknown> {
  const rows = delegateOf(territory, model.delegate)
  const { field, deletionField } = model
  const owners = Object.fromEntries(
    model.owners.map(({ relation, target }) => [
      relation,
      { select: { [territory.models.get(target)?.field ?? '']: true } },
    ]),
  )
  const select = { [field]: true, ...(deletionField !== undefined && { [deletionField]: true }), ...owners }
  const found = await runInMode('with', () => rows.findUnique({ where, select }))
  if (!found || found[field] === null) {
    throw new DatabaseError('DB_NOT_FOUND', `There is no deleted row of ${model.name} to restore`, {
      model: model.name,
      outcome: 'rolled-back',
    })
  }
  for (const { relation, target } of model.owners) {
    const owner = found[relation] as Readonly<Record<string, unknown>> | null
    if (owner && owner[territory.models.get(target)?.field ?? ''] !== null) {
      throw new RepositoryError(
        'DB_REPOSITORY_SOFT_DELETE',
        `${model.name}.${relation} is deleted and has to be restored first`,
      )
    }
  }
  const deletionId = deletionField === undefined ? null : found[deletionField]
  // What is back already is told by an id of the restoration, until all is back.
  const token = randomUUID()
  await runInMode('with', async () => {
    const live = (id: string | null): object => ({
      [field]: null,
      ...(deletionField !== undefined && { [deletionField]: id }),
    })
    await rows.update({ where, data: live(deletionId === null ? null : token), select })
    if (typeof deletionId === 'string') await spreadBack(model, { deletionId, token }, territory)
  })
  return runInMode(undefined, () => rows.findUniqueOrThrow({ where, ...selection }))
}

interface Restoration {
  readonly deletionId: string
  readonly token: string
}

async function spreadBack(
  root: SoftModel,
  { deletionId, token }: Restoration,
  territory: Territory,
): Promise<void> {
  const restored = new Set([root])
  const reached = [root]
  for (let parent = reached.shift(); parent; parent = reached.shift()) {
    for (const { model, relation, effect } of parent.dependents) {
      const child = territory.models.get(model)
      if (effect !== 'cascade' || child?.deletionField === undefined) continue
      const { count } = await delegateOf(territory, child.delegate).updateMany({
        where: {
          [relation]: { [parent.deletionField ?? '']: token },
          [child.deletionField]: deletionId,
        },
        data: { [child.field]: null, [child.deletionField]: token },
      })
      if (count === 0) continue
      restored.add(child)
      reached.push(child)
    }
  }
  for (const { delegate, deletionField = '' } of restored) {
    await delegateOf(territory, delegate).updateMany({
      where: { [deletionField]: token },
      data: { [deletionField]: null },
    })
  }
}
