import { randomUUID } from 'node:crypto'
import {
  createEvents,
  type Events,
  type Interceptor,
  type InterceptorHost,
  restoreContext,
  type SqlClient,
} from '@org/db-core'
import type { SagaDefinition } from './definition.ts'
import { createDefinitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import type { SagaEvents } from './events.ts'
import type { Feed } from './feed.ts'
import { createOperator } from './operator.ts'
import { type Outcome, outcomeOf, outputOf, type WaitOptions } from './outcome.ts'
import { createOutside } from './outside.ts'
import type { RunAround } from './run-around.ts'
import type { SagaOperator } from './saga-report.ts'
import { finalStates, type SagaState } from './saga-state.ts'
import { createSchedules, type Schedule } from './schedules.ts'
import { createServerClock } from './server-clock.ts'
import { createStarter, type StartOptions } from './start.ts'
import { throughJson } from './stored-value.ts'
import { withNamedTables } from './tables.ts'
import { undoChild } from './undo-child.ts'
import { createUpkeep } from './upkeep.ts'
import { createWakeUps } from './wake-ups.ts'
import { createWorker, type InnerWorker } from './worker.ts'
import type { Worker, WorkerOptions } from './worker-options.ts'
import { createWriter } from './writer.ts'

/** Which sagas there are, and who is told of them. */
export interface SagasOptions<Inputs extends readonly unknown[] = readonly unknown[]> {
  /** The kinds of sagas; several versions of one name may stand side by side. */
  readonly definitions: readonly SagaDefinition[]
  /** Is told of each step and state in the commit that stores it; an outbox of `@org/db-outbox` fits. Default: nobody. */
  readonly feed?: Feed
  /** Sagas that workers start by the clock. Default: none. */
  readonly schedules?: { readonly [At in keyof Inputs]: Schedule<Inputs[At]> }
  /** How long sagas are kept after their end; `Infinity` for ever. Default 7 days. */
  readonly keepMs?: number
  /**
   * Whether processes tell each other by NOTIFY that there is something to do. A worker then has a connection of its own to
   * `directUrl`, which renews its lease, too; where only a pooler in transaction mode is there they look. Default `true`.
   */
  readonly notify?: boolean
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

/** Makes sagas, to be given to `createDatabase` as an interceptor. @throws SagaError DB_SAGA_OPTIONS */
export function createSagas<const Inputs extends readonly unknown[] = readonly unknown[]>(
  options: SagasOptions<Inputs>,
): Sagas {
  const { feed, keepMs = 7 * 24 * 3_600_000, notify = true } = options
  if (!(keepMs >= 0)) throw new SagaError('DB_SAGA_OPTIONS', 'keepMs must be 0 or more')
  const schedules = (options.schedules ?? []) as readonly Schedule[]
  const definitions = createDefinitions(options.definitions)
  const events = createEvents<SagaEvents>()
  const owner = randomUUID()
  const outside = createOutside()
  const clock = createServerClock()
  let host: InterceptorHost | undefined
  let named: SqlClient | undefined
  let worker: InnerWorker | undefined

  function attached(): InterceptorHost {
    if (host) return host
    throw new SagaError(
      'DB_SAGA_NOT_ATTACHED',
      'These sagas were not handed to createDatabase({ use: [...] })',
    )
  }
  const sql = (): SqlClient => named ?? attached().sql
  const writer = createWriter({ sql, events, feed, outside, births: false, owner })
  // Apart, because the start of an id that an open transaction is about to start waits for that one's end.
  const births = createWriter({ sql, events, feed, outside, births: true, owner })
  const wakeUps = createWakeUps({ host: attached, events, outside, isOn: notify })
  const start = createStarter({
    sql,
    hooks: () => attached().hooks(),
    worker: () => worker,
    owner,
    births,
    feed,
    onStored: () => tell(''),
  })

  /** Lets whoever has a saga look at it, and if it is nobody lets all look: here at once, elsewhere by way of the server. */
  function tell(id: string): void {
    const run = worker?.find(id)
    if (!run) {
      worker?.wake()
      wakeUps.announce(id)
      return
    }
    outside(() => restoreContext({}, () => worker?.heard(id)))
  }

  function afterCommit(fn: () => void): void {
    const hooks = attached().hooks()
    if (hooks) hooks.afterCommit(fn)
    else fn()
  }

  const around: RunAround = {
    sql,
    hooks: () => attached().hooks(),
    events,
    feed,
    writer,
    now: () => clock.now(),
    outside,
    async startChild({ definition, input, id, parent, parentStep }) {
      await start({ definition, input, id, options: {}, parent: { id: parent, step: parentStep } })
    },
    undoChild: (child) => undoChild(child, { sql, compensate: (id) => operator.compensate(id) }),
  }
  const upkeep = createUpkeep({
    sql,
    keepMs,
    schedules: createSchedules(schedules, { start, definitions, now: () => clock.now() }),
  })
  const operator = createOperator(sql, definitions, (id) => afterCommit(() => tell(id)))

  function handleOf<Output>(id: string, isNew: boolean): SagaHandle<Output> {
    const outcome = async (wait: WaitOptions = {}): Promise<Outcome<Output>> => {
      if (wait.timeoutMs !== 0 && attached().hooks()) {
        const text = 'A saga is not waited for inside a transaction, with whose commit it may begin'
        throw new SagaError('DB_SAGA_TRANSACTION', text, { saga: id })
      }
      const around = { sql, ended: (saga: string) => worker?.ended(saga) }
      return (await outcomeOf(id, around, wait)) as Outcome<Output>
    }
    return {
      id,
      isNew,
      outcome,
      async result(wait) {
        return outputOf(id, await outcome(wait)) as Output
      },
    }
  }

  async function wakeAfterSignal(saga: string): Promise<void> {
    if (!worker?.find(saga)) {
      await sql().query(
        `UPDATE orgdb.saga SET run_at = clock_timestamp() WHERE id = $1 AND owner IS NULL AND state = 'waiting'`,
        [saga],
      )
    }
    tell(saga)
  }

  return {
    name: 'saga',
    stage: 'audit',
    attach(given) {
      host = given
      named = withNamedTables(given.sql)
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
        clock,
        wakeUps,
        upkeep,
      })
      return worker
    },
    sagaEvents: events,
    ...operator,
  }
}
