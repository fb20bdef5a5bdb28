import type { SqlClient } from '@org/db-core'
import type { Definitions } from './definitions.ts'
import { SagaError, type StoredError } from './errors.ts'
import { type Entry, emptyRecord, fold } from './journal.ts'
import { finalStates, type SagaState } from './saga-state.ts'
import { throughJson } from './stored-value.ts'

/** Which sagas to list. All that is given must hold. */
export interface ListOptions {
  readonly name?: string
  /** Default: all. */
  readonly states?: readonly SagaState[]
  /** Those that were started with at least these. */
  readonly attributes?: Readonly<Record<string, string | number | boolean>>
  /** Default 100. */
  readonly limit?: number
  /** Those that were created before this one of an earlier page, `createdAt` and `id`. */
  readonly before?: { readonly createdAt: Date; readonly id: string }
}

/** A saga in a list. */
export interface SagaSummary {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly state: SagaState
  /** The latest step that was begun. */
  readonly step: string | null
  readonly error: StoredError | null
  /** The process that has it. */
  readonly owner: string | null
  readonly createdAt: Date
  readonly updatedAt: Date
  readonly finishedAt: Date | null
  readonly attributes: Readonly<Record<string, string | number | boolean>> | null
}

/** A saga with all that has happened to it. */
export interface SagaDetails extends SagaSummary {
  readonly input: unknown
  readonly output: unknown
  readonly parent: string | null
  readonly deadlineAt: Date | null
  /** When it can go on by itself. */
  readonly runAt: Date | null
  /** How many processes have died over it in a row. */
  readonly crashes: number
  readonly steps: readonly StepDetails[]
  readonly signals: readonly {
    readonly name: string
    readonly id: string
    readonly at: Date
    readonly isTaken: boolean
  }[]
}

/** One step of a saga. */
export interface StepDetails {
  readonly step: string
  readonly state: 'started' | 'done' | 'failed' | 'unknown' | 'waiting'
  readonly isSkipped: boolean
  readonly output: unknown
  readonly error?: StoredError
  readonly compensation: 'none' | 'done' | 'stuck'
  readonly compensationError?: StoredError
  /** Every entry of the journal about it, with its time. */
  readonly history: readonly { readonly event: string; readonly at: Date }[]
}

/** How many sagas of a version are not over. */
export interface VersionReport {
  readonly name: string
  readonly version: number
  readonly states: Readonly<Partial<Record<SagaState, number>>>
  /** Whether this process can run them. */
  readonly isKnown: boolean
}

/** What people do with sagas that don't end by themselves. */
export interface SagaOperator {
  /** The newest first. */
  list(options?: ListOptions): Promise<readonly SagaSummary[]>
  /** @throws SagaError DB_SAGA_NOT_FOUND */
  show(id: string): Promise<SagaDetails>
  /**
   * Lets a saga that is stuck or waits go on at once: steps that failed are tried anew, or a compensation that did.
   * @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE
   */
  retry(id: string): Promise<void>
  /**
   * Gives a step's result in its place, or takes its compensation as done, and lets the saga go on.
   * @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE, DB_SAGA_VALUE
   */
  skip(id: string, step: string, options?: { readonly output?: unknown }): Promise<void>
  /**
   * Undoes a saga, also one that is completed or behind its pivot; one that a process has in hand turns back by itself,
   * unless it is behind its pivot. @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE
   */
  compensate(id: string): Promise<void>
  /** Asks a saga to turn back; behind its pivot it goes on. @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE */
  cancel(id: string): Promise<void>
  /**
   * Starts a new saga that finds all steps done that this one had done before `from`. Returns its id.
   * @throws SagaError DB_SAGA_NOT_FOUND for a saga or step that is not there
   */
  fork(
    id: string,
    options: { readonly from: string; readonly id: string; readonly input?: unknown },
  ): Promise<string>
  /** Which versions are in flight. */
  versions(): Promise<readonly VersionReport[]>
}

interface Full {
  readonly state: SagaState
  readonly token: string
  readonly owner: string | null
  readonly journal: readonly Entry[]
  readonly name: string
}

const stuck: ReadonlySet<SagaState> = new Set(['suspended', 'dead', 'compensation_failed', 'waiting'])
const summary = `id, name, version, state, step, error, owner, created_at AS "createdAt", updated_at AS "updatedAt",
  finished_at AS "finishedAt", attributes`

export function createOperator(
  sql: () => SqlClient,
  definitions: Definitions,
  onChange: (id: string) => void,
): SagaOperator {
  async function full(id: string): Promise<Full> {
    const [row] = await sql().query<Full>(
      'SELECT state, token, owner, journal, name FROM orgdb.saga WHERE id = $1',
      [id],
    )
    if (!row) throw notFound(`saga ${id}`)
    const pages = await sql().query<{ entries: readonly Entry[] }>(
      'SELECT entries FROM orgdb.saga_page WHERE saga = $1 ORDER BY page',
      [id],
    )
    return { ...row, journal: [...pages.flatMap(({ entries }) => entries), ...row.journal] }
  }

  /** Changes a saga that nobody has in hand; who had it before is fenced off. */
  async function change(
    id: string,
    { token, state }: Full,
    to: SagaState,
    entries: readonly Entry[] = [],
  ): Promise<void> {
    const rows = await sql().query(
      `UPDATE orgdb.saga SET state = $3, journal = journal || $4::jsonb, token = token + 1, run_at = clock_timestamp(), crashes = 0,
         asked = NULL, finished_at = NULL, updated_at = clock_timestamp()
       WHERE id = $1 AND token = $2 AND owner IS NULL RETURNING id`,
      [id, token, to, JSON.stringify(entries)],
    )
    if (rows.length === 0) throw wrongState(id, state, 'it has gone on meanwhile')
    onChange(id)
  }

  async function ask(id: string, asked: 'cancel' | 'compensate'): Promise<boolean> {
    const rows = await sql().query(
      `UPDATE orgdb.saga SET asked = $2, run_at = CASE WHEN owner IS NULL THEN clock_timestamp() ELSE run_at END, admitted = true
       WHERE id = $1 AND state IN ('pending', 'running', 'waiting') RETURNING id`,
      [id, asked],
    )
    if (rows.length > 0) onChange(id)
    return rows.length > 0
  }

  return {
    async list({ name, states, attributes, limit = 100, before } = {}) {
      if (!(Number.isInteger(limit) && limit > 0))
        throw new SagaError('DB_SAGA_OPTIONS', 'limit must be a whole number from 1 on')
      return sql().query<SagaSummary>(
        `SELECT ${summary} FROM orgdb.saga
         WHERE ($1::text IS NULL OR name = $1) AND ($2::text[] IS NULL OR state = ANY ($2)) AND ($3::jsonb IS NULL OR attributes @> $3)
           AND ($4::timestamptz IS NULL OR (created_at, id) < ($4, $5))
         ORDER BY created_at DESC, id DESC LIMIT $6`,
        [
          name ?? null,
          states ?? null,
          attributes ? JSON.stringify(attributes) : null,
          before?.createdAt ?? null,
          before?.id ?? null,
          limit,
        ],
      )
    },
    async show(id) {
      const [row] = await sql().query<Omit<SagaDetails, 'steps' | 'signals'>>(
        `SELECT ${summary}, input, output, parent, deadline_at AS "deadlineAt", run_at AS "runAt", crashes FROM orgdb.saga WHERE id = $1`,
        [id],
      )
      if (!row) throw notFound(`saga ${id}`)
      const { journal } = await full(id)
      const signals = await sql().query<SagaDetails['signals'][number]>(
        'SELECT name, id, at, taken AS "isTaken" FROM orgdb.saga_signal WHERE saga = $1 ORDER BY seq',
        [id],
      )
      return { ...row, steps: stepsOf(journal), signals }
    },
    async retry(id) {
      const saga = await full(id)
      if (!stuck.has(saga.state) || saga.owner !== null)
        throw wrongState(id, saga.state, 'there is nothing to retry')
      if (saga.state === 'compensation_failed') return change(id, saga, 'compensating')
      const { steps, abort } = fold(emptyRecord(), saga.journal)
      const again = [...steps.values()].filter(({ state }) => state === 'failed' || state === 'unknown')
      const entries =
        saga.state === 'waiting'
          ? []
          : again.map(({ name }): Entry => ({ k: 'again', n: name, t: Date.now() }))
      await change(id, saga, abort ? 'compensating' : 'running', abort ? [] : entries)
    },
    async skip(id, step, { output } = {}) {
      const saga = await full(id)
      if (!stuck.has(saga.state) || saga.owner !== null)
        throw wrongState(id, saga.state, 'no step can be skipped')
      const { steps, abort } = fold(emptyRecord(), saga.journal)
      if (!steps.has(step)) throw notFound(`step ${step} of saga ${id}`)
      const value = throughJson(output, `The output of ${step}`)
      const entry: Entry = abort
        ? { k: 'undone', n: step, t: Date.now() }
        : { k: 'skip', n: step, t: Date.now(), ...(value !== undefined && { o: value }) }
      await change(id, saga, abort ? 'compensating' : 'running', [entry])
    },
    async compensate(id) {
      if (await ask(id, 'compensate')) return
      const saga = await full(id)
      if (saga.state === 'compensating' || saga.state === 'compensated' || saga.state === 'cancelled') {
        throw wrongState(id, saga.state, 'it can not be undone')
      }
      await change(id, saga, 'compensating')
    },
    async cancel(id) {
      if (await ask(id, 'cancel')) return
      const saga = await full(id)
      if (
        finalStates.has(saga.state) ||
        saga.state === 'compensating' ||
        saga.state === 'compensation_failed'
      ) {
        throw wrongState(id, saga.state, 'it can not be cancelled')
      }
      const e: StoredError = {
        name: 'SagaError',
        code: 'DB_SAGA_CANCELLED',
        message: 'The saga was cancelled',
      }
      await change(id, saga, 'compensating', [{ k: 'abort', n: '', t: Date.now(), e }])
    },
    async fork(id, { from, id: newId, input }) {
      const { journal } = await full(id)
      const { steps } = fold(emptyRecord(), journal)
      const at = steps.get(from)
      if (!at) throw notFound(`step ${from} of saga ${id}`)
      const done = new Set(
        [...steps.values()]
          .filter(({ state, endedAt }) => state === 'done' && endedAt < at.startedAt)
          .map(({ name }) => name),
      )
      const kept = journal
        .filter(({ k, n }) => done.has(n) && k !== 'undone' && k !== 'stuck')
        .map((entry) => ({ ...entry, i: entry.i ?? id }))
      const value = throughJson(input, `The input of saga ${newId}`)
      const rows = await sql().query(
        `INSERT INTO orgdb.saga (id, name, version, shape, state, input, context, attributes, journal, run_at, priority, admitted, lane, lane_limit)
         SELECT $2, name, version, shape, 'pending', coalesce($3::jsonb, input), context, attributes, $4::jsonb, clock_timestamp(), priority,
           lane IS NULL, lane, lane_limit
         FROM orgdb.saga WHERE id = $1 ON CONFLICT (id) DO NOTHING RETURNING id`,
        [id, newId, value === undefined ? null : JSON.stringify(value), JSON.stringify(kept)],
      )
      if (rows.length === 0) throw wrongState(newId, 'pending', 'it is there already')
      onChange(newId)
      return newId
    },
    async versions() {
      const rows = await sql().query<{ name: string; version: number; states: VersionReport['states'] }>(
        `SELECT name, version, jsonb_object_agg(state, n) AS states
         FROM (SELECT name, version, state, count(*)::int AS n FROM orgdb.saga WHERE finished_at IS NULL GROUP BY 1, 2, 3) counts
         GROUP BY name, version ORDER BY name, version`,
      )
      const known = definitions.claimable()
      return rows.map((row) => ({
        ...row,
        isKnown: known.some(({ name, version }) => name === row.name && version === row.version),
      }))
    },
  }
}

function stepsOf(journal: readonly Entry[]): readonly StepDetails[] {
  return [...fold(emptyRecord(), journal).steps.values()].map((step) => ({
    step: step.name,
    state: step.state,
    isSkipped: step.isSkipped,
    output: step.output,
    ...(step.error && { error: step.error }),
    compensation: step.compensation,
    ...(step.compensationError && { compensationError: step.compensationError }),
    history: journal.filter(({ n }) => n === step.name).map(({ k, t }) => ({ event: k, at: new Date(t) })),
  }))
}

function notFound(what: string): SagaError {
  return new SagaError('DB_SAGA_NOT_FOUND', `There is no ${what}`)
}

function wrongState(id: string, state: SagaState, why: string): SagaError {
  return new SagaError('DB_SAGA_STATE', `Saga ${id} is ${state}: ${why}`, { saga: id })
}
