import type { DbContext } from '@org/db-core'
import type { StoredError } from './errors.ts'
import type { Entry } from './journal.ts'
import type { SagaState } from './saga-state.ts'

/** A saga as a worker gets it. */
export interface SagaRow {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly shape: string | null
  readonly state: SagaState
  readonly input: unknown
  readonly context: Pick<DbContext, 'tenant' | 'actor' | 'requestId'> | null
  readonly journal: readonly Entry[]
  readonly pages: number
  readonly error: StoredError | null
  readonly token: string
  readonly crashes: number
  /** Left until the deadline; negative when it is over. */
  readonly deadline_ms: number | null
  readonly asked: 'cancel' | 'compensate' | null
  readonly parent: string | null
  readonly parent_step: string | null
}

/** The columns of `SagaRow`, of a table named `s`. */
export const rowColumns = `s.id, s.name, s.version, s.shape, s.state, s.input, s.context, s.journal, s.pages, s.error, s.token, s.crashes,
  (extract(epoch FROM s.deadline_at - clock_timestamp()) * 1000)::float8 AS deadline_ms, s.asked, s.parent, s.parent_step`
