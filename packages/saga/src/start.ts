import { currentContext, type DbContext, type InterceptorHost, type SqlClient } from '@org/db-core'
import type { SagaDefinition } from './definition.ts'
import { SagaError } from './errors.ts'
import type { Feed } from './feed.ts'
import type { SagaRow } from './saga-row.ts'
import { storableText } from './storable-text.ts'
import { throughJson } from './stored-value.ts'
import type { InnerWorker } from './worker.ts'
import type { Writer } from './writer.ts'

/** How one saga is started. */
export interface StartOptions {
  /** Starting the same id again does nothing. Default: a random UUID. */
  readonly id?: string
  /** Not before so many milliseconds from now, or this time. Default: at once. */
  readonly delay?: number | Date
  /** Higher ones come first where there is more to do than can be done, -32,768 to 32,767. Default 0. */
  readonly priority?: number
  /** How long it may take, from now on, before it is undone. Default: the definition's. */
  readonly deadlineMs?: number
  /** For finding it again: `list({ attributes })`. Default: none. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
}

/** A saga that is to be stored. */
export interface NewSaga {
  readonly definition: SagaDefinition
  readonly input: unknown
  readonly id: string
  readonly options: StartOptions
  readonly parent?: { readonly id: string; readonly step: string }
}

export interface StarterAround {
  readonly sql: () => SqlClient
  readonly hooks: InterceptorHost['hooks']
  readonly worker: () => InnerWorker | undefined
  readonly owner: string
  readonly births: Writer
  readonly feed: Feed | undefined
  /** A saga that is due has been stored for whoever takes it. */
  readonly onStored: () => void
}

/** Stores a saga and has it run; false if the id was taken. @throws SagaError DB_SAGA_VALUE, DB_SAGA_OPTIONS */
export type Starter = (saga: NewSaga) => Promise<boolean>

export function createStarter({ sql, hooks, worker, owner, births, feed, onStored }: StarterAround): Starter {
  return async (saga) => {
    const { definition, id, options } = saga
    check(options, id)
    const input = toInput(definition, saga.input)
    const { concurrency, rate } = definition
    const isFree = concurrency === undefined && rate === undefined && options.delay === undefined
    const here = isFree ? worker() : undefined
    const inside = hooks()
    const takes = here?.takes(definition) ?? false
    const columns = columnsOf(saga, input, takes ? owner : null)
    if (here && takes && !inside) {
      const twin = here.find(id)
      if (twin) {
        await twin.born
        return false
      }
      const run = here.adopt(rowOf(saga, columns), { columns, writer: births })
      return run.born
    }
    const isNew = await insert(columns)
    if (!isNew) return false
    const go = (): void => {
      if (here && takes) here.offer(rowOf(saga, columns))
      else if (options.delay === undefined) onStored()
    }
    if (inside) inside.afterCommit(go)
    else go()
    return true
  }

  async function insert(columns: Columns): Promise<boolean> {
    const store = async (): Promise<boolean> => {
      const rows = await sql().query(
        `INSERT INTO orgdb.saga (id, token, name, version, shape, state, input, context, attributes, owner, run_at, deadline_at, priority,
           admitted, admitted_at, lane, lane_limit, rate, rate_count, rate_ms, parent, parent_step)
         SELECT w.id, w.token, w.name, w.version, w.shape, w.state, coalesce(w.input, 'null'), w.context, w.attributes, w.owner,
           CASE WHEN w.owner IS NULL THEN coalesce(to_timestamp(w.run_at / 1000), clock_timestamp() + coalesce(w.delay_ms, 0) * interval '1 millisecond') END,
           clock_timestamp() + w.deadline_ms * interval '1 millisecond', w.priority, w.lane IS NULL AND w.rate IS NULL,
           CASE WHEN w.lane IS NULL AND w.rate IS NULL THEN clock_timestamp() END,
           w.lane, w.lane_limit, w.rate, w.rate_count, w.rate_ms, w.parent, w.parent_step
         FROM jsonb_to_record($1::jsonb) AS w(id text, token bigint, name text, version integer, shape text, state text, input jsonb,
           context jsonb, attributes jsonb, owner text, run_at double precision, delay_ms double precision, deadline_ms double precision,
           priority smallint, lane text, lane_limit integer, rate text, rate_count integer, rate_ms double precision, parent text, parent_step text)
         ON CONFLICT (id) DO NOTHING RETURNING id`,
        [JSON.stringify(columns)],
      )
      if (rows.length > 0 && feed) {
        const { id, name, version } = columns
        const payload = { id, name, version, state: 'pending', steps: [] }
        await feed.emit([{ topic: `saga.${name}`, key: `saga:${id}`, payload }])
      }
      return rows.length > 0
    }
    return feed && !hooks() ? sql().transaction(store) : store()
  }
}

type Columns = ReturnType<typeof columnsOf>

function columnsOf({ definition, id, options, parent }: NewSaga, input: unknown, owner: string | null) {
  const { name, version, shape, concurrency, rate } = definition
  const { delay, priority = 0, deadlineMs = definition.deadlineMs, attributes } = options
  return {
    id,
    token: owner === null ? 0 : 1,
    name,
    version,
    shape: shape ?? null,
    state: owner === null ? ('pending' as const) : ('running' as const),
    // What is not given is null for the saga, as JSON has it.
    input: input ?? null,
    context: contextOf(currentContext()),
    attributes: attributes ?? null,
    owner,
    run_at: delay instanceof Date ? delay.getTime() : null,
    delay_ms: typeof delay === 'number' ? delay : null,
    deadline_ms: deadlineMs ?? null,
    priority,
    lane: concurrency ? `${name}:${concurrency.key?.(input) ?? ''}` : null,
    lane_limit: concurrency?.limit ?? null,
    rate: rate ? name : null,
    rate_count: rate?.count ?? null,
    rate_ms: rate?.perMs ?? null,
    parent: parent?.id ?? null,
    parent_step: parent?.step ?? null,
  }
}

function rowOf({ definition, id, parent }: NewSaga, columns: Columns): SagaRow {
  const { name, version, shape } = definition
  return {
    id,
    name,
    version,
    shape: shape ?? null,
    state: 'running',
    input: columns.input,
    context: columns.context,
    journal: [],
    pages: 0,
    error: null,
    token: '1',
    crashes: 0,
    deadline_ms: columns.deadline_ms,
    asked: null,
    parent: parent?.id ?? null,
    parent_step: parent?.step ?? null,
  }
}

function contextOf({ tenant, actor, requestId }: DbContext): SagaRow['context'] {
  if (tenant === undefined && actor === undefined && requestId === undefined) return null
  return {
    ...(tenant !== undefined && { tenant }),
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  }
}

/** What the schema makes of it, as it will come back from the database. @throws SagaError DB_SAGA_VALUE */
function toInput({ input: schema, name }: SagaDefinition, input: unknown): unknown {
  const stored = throughJson(schema ? schema.parse(input) : input, `The input of saga ${name}`)
  try {
    // As each process that runs it will: one that turned texts into numbers would fail there.
    schema?.parse(stored)
  } catch (cause) {
    const why =
      'does not take what it has made itself, once that was stored as JSON: transform it in the saga'
    throw new SagaError('DB_SAGA_VALUE', `The input schema of saga ${name} ${why}`, { cause })
  }
  return stored
}

/** @throws SagaError DB_SAGA_OPTIONS, DB_SAGA_VALUE */
function check({ priority = 0, deadlineMs, delay, attributes }: StartOptions, id: string): void {
  const wrong = (message: string): SagaError => new SagaError('DB_SAGA_OPTIONS', message)
  if (id === '' || id.length > 300) throw wrong('The id of a saga has 1 to 300 characters')
  if (storableText(id, id.length) !== id) throw wrong('The id of a saga is no text that PostgreSQL can store')
  if (!Number.isInteger(priority) || Math.abs(priority) > 32_767)
    throw wrong('priority must be a whole number within 16 bits')
  if (deadlineMs !== undefined && !(deadlineMs > 0)) throw wrong('deadlineMs must be greater than 0')
  if (delay instanceof Date && Number.isNaN(delay.getTime())) throw wrong('delay is no valid date')
  if (typeof delay === 'number' && !(delay >= 0 && Number.isFinite(delay)))
    throw wrong('delay must be a number of milliseconds from 0 on')
  throughJson(attributes, 'attributes')
}
