import { randomUUID } from 'node:crypto'
import { ConstraintError, type DbContext, runInContext, type SchemaMetadata } from '@org/db-core'
import { runInMode } from './mode.ts'
import type { Dependent, SoftModel } from './models.ts'

/** One deletion on its way: what all its rows are marked with, and the models that it has reached. */
export interface Deletion {
  readonly id: string
  readonly at: Date
  readonly models: Set<string>
}

/** Begins a deletion. */
export function newDeletion(): Deletion {
  return { id: randomUUID(), at: new Date(), models: new Set() }
}

const key: unique symbol = Symbol.for('@org/db-repository/deletion')

interface DeletingContext extends DbContext {
  readonly [key]?: Deletion | undefined
}

/** The deletion that a call belongs to. */
export function deletionOf(context: DbContext): Deletion | undefined {
  return (context as DeletingContext)[key]
}

/** Runs `fn` as a part of a deletion. */
export function runInDeletion<T>(deletion: Deletion | undefined, fn: () => T): T {
  return runInContext({ [key]: deletion } as object as DbContext, fn)
}

/** What marks a row as deleted. */
export function markOf(
  { field, deletionField }: SoftModel,
  { id, at }: Deletion,
): Readonly<Record<string, unknown>> {
  return { [field]: at, ...(deletionField !== undefined && { [deletionField]: id }) }
}

/** The slice of Prisma's models that is used. */
export interface DelegateLike {
  findUnique(args: object): Promise<Readonly<Record<string, unknown>> | null>
  findUniqueOrThrow(args: object): Promise<unknown>
  findMany(args: object): Promise<readonly Readonly<Record<string, unknown>>[]>
  count(args: object): Promise<number>
  update(args: object): Promise<unknown>
  updateMany(args: object): Promise<{ readonly count: number }>
}

/** What is known of the database that rows are deleted from. */
export interface Territory {
  readonly client: object
  readonly metadata: SchemaMetadata
  readonly models: ReadonlyMap<string, SoftModel>
}

/** A model of the client. */
export function delegateOf({ client }: Territory, delegate: string): DelegateLike {
  return Reflect.get(client, delegate) as DelegateLike
}

/**
 * Does to the rows that depend on deleted ones what the foreign keys say: deletes them as well, takes the key out of
 * them, or refuses. It goes by the mark of the deletion, level by level, so no ids are carried around.
 */
export async function spread(deletion: Deletion, territory: Territory): Promise<void> {
  const reached = [...deletion.models]
  for (let name = reached.shift(); name !== undefined; name = reached.shift()) {
    for (const dependent of territory.models.get(name)?.dependents ?? []) {
      if (await affect(dependent, deletion, territory)) {
        deletion.models.add(dependent.model)
        reached.push(dependent.model)
      }
    }
  }
  for (const name of deletion.models) {
    for (const dependent of territory.models.get(name)?.dependents ?? []) {
      if (dependent.effect === 'restrict') await refuseWhere(dependent, deletion, territory)
    }
  }
}

/** Whether more rows were deleted. */
async function affect(dependent: Dependent, deletion: Deletion, territory: Territory): Promise<boolean> {
  const { model, delegate, effect, nullable } = dependent
  const rows = delegateOf(territory, delegate)
  const where = ofDeletion(dependent, deletion, territory)
  if (effect === 'set-null') {
    const data = Object.fromEntries(nullable.map((field) => [field, null]))
    await runInMode('with', () => rows.updateMany({ where, data }))
  }
  const own = territory.models.get(model)
  if (effect !== 'cascade' || !own) return false
  const data = markOf(own, deletion)
  const { count } = await runInMode('with', () =>
    rows.updateMany({ where: { ...where, [own.field]: null }, data }),
  )
  return count > 0
}

async function refuseWhere(dependent: Dependent, deletion: Deletion, territory: Territory): Promise<void> {
  const { model, delegate, fields, target } = dependent
  const own = territory.models.get(model)
  const where = { ...ofDeletion(dependent, deletion, territory), ...(own && { [own.field]: null }) }
  const left = await runInMode('with', () => delegateOf(territory, delegate).count({ where, take: 1 }))
  if (left === 0) return
  const { metadata } = territory
  const constraint = Object.entries(metadata.constraints).find(
    ([, each]) =>
      each.kind === 'foreign-key' && each.model === model && String(each.fields) === String(fields),
  )?.[0]
  throw new ConstraintError(
    'DB_FOREIGN_KEY_VIOLATION',
    `${target}.delete was refused: rows of ${model} refer to what is deleted`,
    {
      outcome: 'rolled-back',
      model: target,
      fields,
      table: metadata.models[model]?.table,
      ...(constraint !== undefined && { constraint }),
    },
  )
}

/** The rows that refer to rows of the deletion. */
function ofDeletion({ relation, target }: Dependent, { id }: Deletion, { models }: Territory): object {
  return { [relation]: { [models.get(target)?.deletionField ?? '']: id } }
}
