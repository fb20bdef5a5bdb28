import type { Operation, SchemaMetadata } from '@org/db-core'
import type { CapturedModel } from './captured-models.ts'
import { OutboxError } from './errors.ts'

/** Relations through which a nested write can change rows without saying which. */
const nestedWrites = new Set([
  'create',
  'createMany',
  'connectOrCreate',
  'upsert',
  'update',
  'updateMany',
  'delete',
  'deleteMany',
  'set',
  'connect',
  'disconnect',
])

/** @throws OutboxError DB_OUTBOX_UNSEEN_WRITE for a nested write of a model that the client is to capture */
export function refuseNested(
  operation: Operation,
  metadata: SchemaMetadata,
  captured: ReadonlyMap<string, CapturedModel>,
): void {
  const { data, create, update } = (operation.args ?? {}) as Readonly<
    Record<'data' | 'create' | 'update', unknown>
  >
  for (const each of [data, create, update]) inspect(each, operation.model ?? '', false)

  function inspect(data: unknown, model: string, isNested: boolean): void {
    if (typeof data !== 'object' || data === null || data instanceof Date || ArrayBuffer.isView(data)) return
    if (Array.isArray(data)) {
      for (const each of data) inspect(each, model, isNested)
      return
    }
    for (const [name, value] of Object.entries(data)) {
      const field = metadata.models[model]?.fields[name]
      if (field?.kind === 'relation') relation(field.type, value, field.relation !== undefined)
      else if (isNested && !field) inspect(value, model, true)
    }
  }

  function relation(model: string, writes: unknown, holdsKey: boolean): void {
    if (typeof writes !== 'object' || writes === null) return
    for (const action of Object.keys(writes)) {
      // Here the other row stays as it is: the foreign key is on this side.
      if (holdsKey && (action === 'connect' || action === 'disconnect')) continue
      if (nestedWrites.has(action) && captured.get(model)?.by === 'client') {
        throw new OutboxError(
          'DB_OUTBOX_UNSEEN_WRITE',
          `${operation.model}.${operation.action} changes rows of ${model} by a nested ${action}, which the client can't see: capture ${model} by trigger`,
        )
      }
    }
    inspect(writes, model, true)
  }
}
