import type { EventSource, SqlClient } from '@org/db-core'
import type { Definitions } from './definitions.ts'
import type { SagaEvents } from './events.ts'
import { Run } from './run.ts'
import type { Ended, RunAround } from './run-around.ts'
import type { Birth } from './run-journal.ts'
import type { SagaRow } from './saga-row.ts'

export interface InHandOptions {
  readonly owner: string
  readonly sql: () => SqlClient
  readonly events: EventSource<SagaEvents>
  readonly definitions: Definitions
  readonly around: RunAround
  /** There may be something to do: a place is free, or `isPressing` for what others wait for. */
  readonly onChange: (isPressing: boolean) => void
}

/** The sagas that a process has in hand. */
export interface InHand {
  readonly runs: ReadonlyMap<string, Run>
  readonly finished: number
  readonly lost: number
  /** @throws SagaError DB_SAGA_UNKNOWN, DB_SAGA_CHANGED */
  adopt(row: SagaRow, birth?: Birth): Run
}

export function createInHand({ owner, sql, events, definitions, around, onChange }: InHandOptions): InHand {
  const runs = new Map<string, Run>()
  let finished = 0
  let lost = 0

  async function over(run: Run, { how, state, error }: Ended, row: SagaRow): Promise<void> {
    if (runs.get(run.id) === run) runs.delete(run.id)
    if (how === 'finished' && state) {
      finished += 1
      events.emit('saga.ended', { id: run.id, name: run.name, state, ...(error && { error }) })
    }
    if (how === 'lost') {
      lost += 1
      await release(run)
    }
    // Its place in a lane is free, its parent goes on, or it was parked with something in store for it.
    const isLaned = definitions.get(row.name, row.version)?.concurrency !== undefined
    onChange(how === 'parked' || (how === 'finished' && (isLaned || row.parent !== null)))
  }

  /** Where it was not taken away but could not be stored, somebody must be able to try again. */
  async function release(run: Run): Promise<void> {
    try {
      await sql().query(
        `UPDATE orgdb.saga SET owner = NULL, run_at = clock_timestamp() + interval '1 second' WHERE id = $1 AND token = $2 AND owner = $3`,
        [run.id, run.token, owner],
      )
    } catch (error) {
      // The heartbeat finds what is left of it.
      events.emit('saga.failed', { task: 'release', error })
    }
  }

  return {
    runs,
    get finished() {
      return finished
    },
    get lost() {
      return lost
    },
    adopt(row, birth) {
      const run = new Run(row, definitions.of(row), around, birth)
      // Taken away from us, and taken by us again before we knew.
      runs.get(row.id)?.journal.lose()
      runs.set(row.id, run)
      void run.ended.then((ended) => over(run, ended, row))
      run.start()
      return run
    },
  }
}
