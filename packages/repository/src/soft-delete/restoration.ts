import { randomUUID } from 'node:crypto'
import { DatabaseError, databaseOf, type SqlExecutor } from '@org/db-core'
import { RepositoryError } from '../errors.ts'
import { identifier } from '../identifier.ts'
import { tableOf } from '../table.ts'
import { delegateOf, type Territory } from './deletion.ts'
import { cascades, handOver, type Restoration } from './handing-over.ts'
import { runInMode } from './mode.ts'
import type { Dependent, SoftModel } from './models.ts'

/** Which row to bring back, and what to return of it. */
export interface RestoreArgs {
  readonly where: object
  readonly data?: unknown
}

/** A territory whose restoration is under way, in a transaction. */
interface Restoring extends Territory {
  readonly sql: SqlExecutor
}

/**
 * Brings a deleted row back with all that was deleted with it and depends on it; what had been deleted before stays
 * deleted. @throws DatabaseError DB_NOT_FOUND where there is no such deleted row
 */
export async function restore(
  model: SoftModel,
  { where, data: _, ...selection }: RestoreArgs,
  restoring: Restoring,
): Promise<unknown> {
  const rows = delegateOf(restoring, model.delegate)
  const { field, deletionField } = model
  const keys = model.owners.flatMap(({ fields }) => fields)
  const names = [field, ...(deletionField === undefined ? [] : [deletionField]), ...keys]
  const select = Object.fromEntries(names.map((name) => [name, true]))
  const found = await runInMode('with', () => rows.findUnique({ where, select }))
  if (!found || found[field] === null) throw notDeleted(model)
  for (const owner of model.owners) await refuseDeleted(owner, found, restoring)
  const deletionId = deletionField === undefined ? null : found[deletionField]
  // What is back already is told by an id of the restoration, until all is back.
  const token = typeof deletionId === 'string' ? randomUUID() : null
  const id = deletionField === undefined ? {} : { [deletionField]: deletionId }
  await runInMode('with', async () => {
    // Somebody else may have brought it back meanwhile, or even deleted it again.
    const { count } = await rows.updateMany({
      where: { AND: [asFilter(where, model, restoring), { [field]: { not: null }, ...id }] },
      data: { [field]: null, ...(deletionField !== undefined && { [deletionField]: token }) },
    })
    if (count === 0) throw notDeleted(model)
    if (typeof deletionId === 'string' && token !== null) {
      await spreadBack(model, { deletionId, token }, restoring)
    }
  })
  return runInMode(undefined, () => rows.findUniqueOrThrow({ where, ...selection }))
}

function notDeleted({ name }: SoftModel): DatabaseError {
  return new DatabaseError('DB_NOT_FOUND', `There is no deleted row of ${name} to restore`, {
    model: name,
    outcome: 'rolled-back',
  })
}

/** A unique key as a filter of many rows: `a_b: { a, b }` is unknown there. */
function asFilter(where: object, { name }: SoftModel, { metadata }: Restoring): object {
  const fields = metadata.models[name]?.fields ?? {}
  return Object.fromEntries(
    Object.entries(where).flatMap(([key, value]: [string, unknown]) =>
      Object.hasOwn(fields, key) || isCombinator(key) ? [[key, value]] : Object.entries(value as object),
    ),
  )
}

function isCombinator(key: string): boolean {
  return key === 'AND' || key === 'OR' || key === 'NOT'
}

/** Locks the owner until all is back: a deletion of it then waits, and finds what is back by then. */
async function refuseDeleted(
  { model, relation, target, fields, references }: Dependent,
  row: Readonly<Record<string, unknown>>,
  { client, metadata, models, sql }: Restoring,
): Promise<void> {
  const values = fields.map((name) => row[name])
  const owner = metadata.models[target]
  const database = databaseOf(client)
  if (!owner || !database || values.some((value) => value === null || value === undefined)) return
  const column = (name: string): string => identifier(owner.fields[name]?.column ?? name)
  const conditions = references.map((name, index) => `${column(name)} = $${index + 1}`)
  const mark = column(models.get(target)?.field ?? '')
  const [found] = await sql.query<{ gone: boolean }>(
    `SELECT ${mark} IS NOT NULL AS gone FROM ${tableOf(owner, database)} WHERE ${conditions.join(' AND ')} FOR SHARE`,
    values,
  )
  if (!found?.gone) return
  throw new RepositoryError(
    'DB_REPOSITORY_SOFT_DELETE',
    `${model}.${relation} is deleted and has to be restored first`,
  )
}

/** Level by level, until nothing more comes: a row with several owners waits for the last of them. */
async function spreadBack(
  root: SoftModel,
  { deletionId, token }: Restoration,
  territory: Territory,
): Promise<void> {
  const restored = new Set([root])
  for (let isMore = true; isMore; ) {
    isMore = false
    for (const parent of [...restored]) {
      for (const { relation, child, deletionField } of cascades(parent, territory)) {
        const others = child.owners.filter((owner) => owner.relation !== relation)
        const { count } = await delegateOf(territory, child.delegate).updateMany({
          where: {
            AND: [
              { [relation]: { [parent.deletionField ?? '']: token }, [deletionField]: deletionId },
              ...others.map((owner) => isAlive(owner, territory)),
            ],
          },
          data: { [child.field]: null, [deletionField]: token },
        })
        if (count === 0) continue
        restored.add(child)
        isMore = true
      }
    }
  }
  for (const parent of restored) await handOver(parent, { deletionId, token }, territory)
  for (const { delegate, deletionField = '' } of restored) {
    await delegateOf(territory, delegate).updateMany({
      where: { [deletionField]: token },
      data: { [deletionField]: null },
    })
  }
}

/** Whether an owner is there, or there is none. */
function isAlive({ relation, target, nullable }: Dependent, { models }: Territory): object {
  const alive = { [relation]: { [models.get(target)?.field ?? '']: null } }
  return nullable.length === 0 ? alive : { OR: [alive, ...nullable.map((field) => ({ [field]: null }))] }
}
