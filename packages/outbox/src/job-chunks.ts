import type { SqlClient } from '@org/db-core'
import type { ConsumerSettings } from './consumer-options.ts'
import { readFeed } from './feed.ts'
import { type FeedEvent, versionOf } from './outbox-event.ts'
import type { RowSql } from './row-sql.ts'
import { partitionCount } from './schema.ts'
import type { Settler } from './settler.ts'

/** What a job is to do. */
export interface JobSpec {
  readonly after?: number
  readonly upTo?: number
  readonly topics?: readonly string[]
  readonly keys?: readonly string[]
  readonly model?: string
  readonly chunk?: number
  readonly rowsPerSecond?: number
}

/** Where rows of models come from. */
export interface JobSource {
  rows(model: string): RowSql
}

export interface JobRow {
  readonly id: string
  readonly kind: 'replay' | 'backfill'
  readonly spec: JobSpec
  readonly progress: unknown
  readonly done: string
  readonly failed: string
}

/** A piece of a job. */
export interface Chunk {
  readonly events: readonly FeedEvent[]
  /** Where to go on; `undefined` at the end. */
  readonly progress: unknown
  readonly isLast: boolean
}

/** Reads the next piece of a job. */
export type ReadChunk = (job: JobRow) => Promise<Chunk>

export function createChunks({
  settings,
  sql,
  settler,
  source,
}: {
  readonly settings: ConsumerSettings
  readonly sql: () => SqlClient
  readonly settler: Settler
  readonly source: JobSource
}): ReadChunk {
  function replayed(job: JobRow): Promise<Chunk> {
    const { after = 0, upTo = 0, topics, keys } = job.spec
    const from = Number((job.progress as { after?: number } | null)?.after ?? after)
    const range = {
      after: from,
      upTo,
      topics,
      keys,
      maxCount: settings.maxCount,
      maxBytes: settings.maxBytes,
    }
    return readFeed(sql(), range, { epoch: settler.epoch, origin: 'replay' }).then((page) => ({
      events: page.events,
      progress: { after: page.upTo },
      isLast: page.upTo >= upTo,
    }))
  }

  /**
   * The version of a chunk is read before the chunk: whatever the feed has up to there is in the rows, and whatever
   * comes later has a higher version and wins, in whichever order the two arrive.
   */
  async function backfilled(job: JobRow): Promise<Chunk> {
    const { model = '', chunk = settings.maxCount } = job.spec
    const rows = source.rows(model)
    const seq = await settler.settle()
    const last = job.progress as Record<string, unknown> | null
    const columns = rows.idColumns.map((column) => `t.${column}`).join(', ')
    const after =
      last === null
        ? ''
        : `WHERE (${columns}) > (SELECT ${rows.idColumns.map((column) => `k.${column}`).join(', ')}
             FROM jsonb_populate_record(NULL::${rows.table}, $2::jsonb) k)`
    const found = await sql().query<{
      key: string
      part: number
      payload: unknown
      id: Record<string, unknown>
    }>(
      `SELECT c.*, (hashtext(c.key) & ${partitionCount - 1})::int AS part FROM (
         SELECT ${rows.key('t')} AS key, ${rows.row('t')} AS payload, ${rows.id('t')} AS id
         FROM ${rows.table} t ${after} ORDER BY ${columns} LIMIT $1
       ) c`,
      last === null ? [chunk] : [chunk, JSON.stringify(last)],
    )
    const version = versionOf(settler.epoch, seq)
    const at = new Date()
    return {
      events: found.map(({ key, payload, part }) => ({
        id: `${version}:${key}`,
        model,
        kind: 'create',
        key,
        after: payload,
        at,
        seq,
        version,
        schemaVersion: 1,
        payload,
        origin: 'backfill',
        headers: {},
        part,
      })),
      progress: found.at(-1)?.id ?? last,
      isLast: found.length < chunk,
    }
  }

  return (job) => (job.kind === 'replay' ? replayed(job) : backfilled(job))
}
