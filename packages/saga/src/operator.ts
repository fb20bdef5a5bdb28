import type { SqlClient } from '@org/db-core'
import type { Definitions } from './definitions.ts'
import { SagaError, type StoredError } from './errors.ts'
import { type Entry, emptyRecord, fold } from './journal.ts'
import {
  type SagaDetails,
  type SagaOperator,
  type SagaSummary,
  stepsOf,
  type VersionReport,
} from './saga-report.ts'
import { finalStates, type SagaState } from './saga-state.ts'
import { throughJson } from './stored-value.ts'

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

function notFound(what: string): SagaError {
  return new SagaError('DB_SAGA_NOT_FOUND', `There is no ${what}`)
}

function wrongState(id: string, state: SagaState, why: string): SagaError {
  return new SagaError('DB_SAGA_STATE', `Saga ${id} is ${state}: ${why}`, { saga: id })
}
