import type { InterceptorHost, SchemaMetadata } from '@org/db-core'
import { OutboxError } from './errors.ts'
import { type RowSql, rowSql } from './row-sql.ts'

/** How changes of one model's rows become events. */
export interface CaptureOptions {
  /**
   * `client`: by this client, for writes that pass it. `trigger`: by the database, also for raw SQL, cascades and other
   * programs; see `installTriggers`. `log`: as `trigger`, but read from the write-ahead log after the commit, so that
   * writers pay nothing; see `createLogRelay` of `@org/db-outbox/log`. Default `client`.
   */
  readonly by?: 'client' | 'trigger' | 'log'
  /** Whether updates carry the row as it was, too; deletes always do. Default `false`. */
  readonly before?: boolean
  /** Fields that stay out of the feed, such as secrets and personal data. Default: none. */
  readonly omit?: readonly string[]
  /**
   * What to do where the database itself changes rows of this model because of another one (`onDelete: Cascade`,
   * `SetNull`), which a client can't see: refuse to start, or go on and miss it. Default `refuse`.
   */
  readonly cascades?: 'refuse' | 'ignore'
}

/** One model whose rows are watched. */
export interface CapturedModel {
  readonly rows: RowSql
  readonly by: 'client' | 'trigger' | 'log'
  readonly before: boolean
}

/** @throws OutboxError DB_OUTBOX_OPTIONS, DB_OUTBOX_METADATA, DB_OUTBOX_UNSEEN_WRITE */
export function capturedModels(
  models: Readonly<Record<string, CaptureOptions>>,
  { metadata, schema }: Pick<InterceptorHost, 'metadata' | 'schema'>,
): ReadonlyMap<string, CapturedModel> {
  const names = Object.keys(models)
  if (names.length === 0) return new Map()
  if (!metadata) {
    throw new OutboxError(
      'DB_OUTBOX_METADATA',
      'Row changes need to know the models: hand `metadata` to createDatabase',
    )
  }
  return new Map(
    names.map((name) => {
      const { by = 'client', before = false, omit = [], cascades = 'refuse' } = models[name] ?? {}
      // A trigger and the log know nothing of the caller's search path.
      const place = by === 'client' ? schema : (schema ?? 'public')
      const captured = { rows: rowSql(metadata, name, { omit, schema: place }), by, before }
      if (by === 'client' && cascades === 'refuse') refuseCascades(metadata, name)
      return [name, captured] as const
    }),
  )
}

function refuseCascades(metadata: SchemaMetadata, name: string): void {
  for (const [field, { relation, type, isRequired }] of Object.entries(metadata.models[name]?.fields ?? {})) {
    if (!relation) continue
    const onDelete = relation.onDelete ?? (isRequired ? 'Restrict' : 'SetNull')
    if (onDelete === 'Restrict' || onDelete === 'NoAction') continue
    throw new OutboxError(
      'DB_OUTBOX_UNSEEN_WRITE',
      `A deleted ${type} changes rows of ${name} by ${onDelete} of ${field}, which a client can't see: capture ${name} by trigger, or set cascades: 'ignore'`,
    )
  }
}
