import { randomUUID } from 'node:crypto'
import {
  createEvents,
  type Events,
  type Interceptor,
  type InterceptorHost,
  type SqlClient,
} from '@org/db-core'
import type { SagaDefinition } from './definition.ts'
import { createDefinitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import type { SagaEvents } from './events.ts'
import type { Feed } from './feed.ts'
import { createOperator, type SagaOperator } from './operator.ts'
import { type Outcome, outcomeOf, outputOf, type WaitOptions } from './outcome.ts'
import { pause } from './retry-policy.ts'
import type { RunAround } from './run-around.ts'
import { finalStates, type SagaState } from './saga-state.ts'
import { createSchedules, type Schedule } from './schedules.ts'
import { createStarter, type StartOptions } from './start.ts'
import { createWorker, type InnerWorker, type Worker, type WorkerOptions } from './worker.ts'
import { createWriter, throughJson } from './writer.ts'

/** Which sagas there are, and who is told of them. */
export interface SagasOptions {
  /** The kinds of sagas; several versions of one name may stand side by side. */
  readonly definitions: readonly SagaDefinition[]
  /** Is told of each step and state in the commit that stores it; an outbox of `@org/db-outbox` fits. Default: nobody. */
  readonly feed?: Feed
  /** Sagas that workers start by the clock. Default: none. */
  readonly schedules?: readonly Schedule[]
  /** How long sagas are kept after their end. Default 7 days. */
  readonly keepMs?: number
}

/** A saga that was started, here or before. */
export interface SagaHandle<Output> {
  readonly id: string
  /** False if a saga of this id was there already. */
  readonly isNew: boolean
  /** Waits for the output. @throws SagaError DB_SAGA_NOT_COMPLETED when it was undone, is stuck, or time is up */
  result(options?: WaitOptions): Promise<Output>
  /** Waits until it is over or stuck, or time is up, and returns what became of it. */
  outcome(options?: WaitOptions): Promise<Outcome<Output>>
}

/** The sagas of one database: hand it to `createDatabase({ use: [sagas] })`. */
export interface Sagas extends Interceptor, SagaOperator {
  /**
   * Starts a saga: in the ambient transaction, so that it exists if and only if that commits, or on its own. A worker of
   * this process runs it at once. @throws SagaError DB_SAGA_VALUE, DB_SAGA_OPTIONS; what the input's schema throws
   */
  start<Input, Output>(
    definition: SagaDefinition<Input, Output>,
    input: NoInfer<Input>,
    options?: StartOptions,
  ): Promise<SagaHandle<Output>>
  /** A saga that was started before, by any process. */
  handle<Output = unknown>(id: string): SagaHandle<Output>
  /**
   * Tells a saga something, in the ambient transaction or on its own; each `id` of a message is taken once. False if it
   * was told before. @throws SagaError DB_SAGA_NOT_FOUND, DB_SAGA_STATE when the saga is over
   */
  signal(saga: string, name: string, payload?: unknown, options?: { readonly id?: string }): Promise<boolean>
  /** The worker of this process; `start` it. A second call is an error. @throws SagaError DB_SAGA_OPTIONS */
  worker(options?: WorkerOptions): Worker
  readonly sagaEvents: Events<SagaEvents>
}

const purgeEveryMs = 60_000

/** Makes sagas, to be given to `createDatabase` as an interceptor. @throws SagaError DB_SAGA_OPTIONS */
export function createSagas(options: SagasOptions): Sagas {
  const { feed, schedules = [], keepMs = 7 * 24 * 3_600_000 } = options
  const definitions = createDefinitions(options.definitions)
  const events = createEvents<SagaEvents>()
  const owner = randomUUID()
  let host: InterceptorHost | undefined
  let worker: InnerWorker | undefined
  let purgedAt = performance.now()

  function attached(): InterceptorHost {
    if (host) return host
    throw new SagaError(
      'DB_SAGA_NOT_ATTACHED',
      'These sagas were not handed to createDatabase({ use: [...] })',
    )
  }
  const sql = (): SqlClient => attached().sql
  const writer = createWriter({ sql, events, feed, births: false, owner })
  // Apart, because the start of an id that an open transaction is about to start waits for that one's end.
  const births = createWriter({ sql, events, feed, births: true, owner })
  const start = createStarter({
    sql,
    hooks: () => attached().hooks(),
    worker: () => worker,
    owner,
    births,
    feed,
  })

  async function undoChild(id: string, signal: AbortSignal): Promise<void> {
    for (let pollMs = 20; !signal.aborted; pollMs = Math.min(500, pollMs * 2)) {
      const [row] = await sql().query<{ state: SagaState }>('SELECT state FROM orgdb.saga WHERE id = $1', [
        id,
      ])
      if (!row || row.state === 'compensated' || row.state === 'cancelled') return
      if (row.state === 'compensation_failed') {
        throw new SagaError('DB_SAGA_COMPENSATION', `The compensation of child ${id} has failed`, {
          saga: id,
        })
      }
      if (row.state !== 'compensating') await operator.compensate(id)
      await pause(pollMs, signal)
    }
    signal.throwIfAborted()
  }

  const around: RunAround = {
    sql,
    hooks: () => attached().hooks(),
    events,
    feed,
    writer,
    async startChild({ definition, input, id, parent, parentStep }) {
      await start({ definition, input, id, options: {}, parent: { id: parent, step: parentStep } })
    },
    undoChild,
  }
  const ticking = createSchedules(schedules, start)
  const operator = createOperator(sql, definitions, (id) => {
    const run = worker?.find(id)
    if (!run) return worker?.wake()
    void sql()
      .query<{ asked: 'cancel' | 'compensate' | null }>('SELECT asked FROM orgdb.saga WHERE id = $1', [id])
      .then(([row]) => row?.asked && run.ask(row.asked))
      .catch((error: unknown) => events.emit('saga.failed', { task: `ask ${id}`, error }))
  })

  async function purge(): Promise<void> {
    if (performance.now() - purgedAt < purgeEveryMs) return
    purgedAt = performance.now()
    await sql().query(
      `DELETE FROM orgdb.saga WHERE id = ANY (ARRAY(
         SELECT id FROM orgdb.saga WHERE finished_at < clock_timestamp() - $1::float8 * interval '1 millisecond' LIMIT 10000))`,
      [keepMs],
    )
  }

  function handleOf<Output>(id: string, isNew: boolean): SagaHandle<Output> {
    const ended = { sql, ended: (saga: string) => worker?.ended(saga) }
    return {
      id,
      isNew,
      async result(wait) {
        return outputOf(id, await outcomeOf(id, ended, wait)) as Output
      },
      async outcome(wait) {
        return (await outcomeOf(id, ended, wait)) as Outcome<Output>
      },
    }
  }

  async function wakeAfterSignal(saga: string): Promise<void> {
    const run = worker?.find(saga)
    if (run) return run.poke()
    await sql().query(
      `UPDATE orgdb.saga SET run_at = clock_timestamp() WHERE id = $1 AND owner IS NULL AND state = 'waiting'`,
      [saga],
    )
    worker?.wake()
  }

  return {
    name: 'saga',
    stage: 'audit',
    attach(given) {
      host = given
      given.onClosing(async (options) => {
        await worker?.close(options)
      })
    },
    intercept: (operation, next) => next(operation),
    async start(definition, input, startOptions = {}) {
      const { id = randomUUID() } = startOptions
      const isNew = await start({
        definition: definition as SagaDefinition,
        input,
        id,
        options: startOptions,
      })
      return handleOf(id, isNew)
    },
    handle: (id) => handleOf(id, false),
    async signal(saga, name, payload, { id = randomUUID() } = {}) {
      const value = throughJson(payload, `The payload of signal ${name}`)
      const rows = await sql().query<{ is_new: boolean; state: SagaState }>(
        `WITH told AS (
           INSERT INTO orgdb.saga_signal (saga, name, id, payload)
           SELECT id, $2, $3, $4::jsonb FROM orgdb.saga WHERE id = $1 AND finished_at IS NULL ON CONFLICT DO NOTHING RETURNING id
         ) SELECT EXISTS (SELECT FROM told) AS is_new, state FROM orgdb.saga WHERE id = $1`,
        [saga, name, id, value === undefined ? null : JSON.stringify(value)],
      )
      const [row] = rows
      if (!row) throw new SagaError('DB_SAGA_NOT_FOUND', `There is no saga ${saga}`, { saga })
      if (!row.is_new && finalStates.has(row.state)) {
        throw new SagaError('DB_SAGA_STATE', `Saga ${saga} is ${row.state}: it takes no signal`, { saga })
      }
      const hooks = attached().hooks()
      if (hooks) hooks.afterCommit(() => wakeAfterSignal(saga))
      else await wakeAfterSignal(saga)
      return row.is_new
    },
    worker(workerOptions = {}) {
      if (worker) throw new SagaError('DB_SAGA_OPTIONS', 'A process has one worker')
      worker = createWorker(workerOptions, {
        id: owner,
        sql,
        events,
        definitions,
        run: around,
        schedules: ticking,
        purge,
      })
      return worker
    },
    sagaEvents: events,
    ...operator,
  }
}
