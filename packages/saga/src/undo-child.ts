import type { SqlClient } from '@org/db-core'
import { SagaError } from './errors.ts'
import { pause } from './retry-policy.ts'
import type { ChildUndo } from './run-around.ts'
import type { SagaState } from './saga-state.ts'

/** Has a child undone and waits for it. @throws SagaError DB_SAGA_COMPENSATION */
export async function undoChild(
  { id, wasDone, signal }: ChildUndo,
  { sql, compensate }: { readonly sql: () => SqlClient; readonly compensate: (id: string) => Promise<void> },
): Promise<void> {
  const failed = (text: string): SagaError => new SagaError('DB_SAGA_COMPENSATION', text, { saga: id })
  for (let pollMs = 20; !signal.aborted; pollMs = Math.min(500, pollMs * 2)) {
    const [row] = await sql().query<{ state: SagaState }>('SELECT state FROM orgdb.saga WHERE id = $1', [id])
    if (!row && wasDone) throw failed(`Child ${id} is not there any more, so it can not be undone`)
    if (!row || row.state === 'compensated' || row.state === 'cancelled') return
    if (row.state === 'compensation_failed') throw failed(`The compensation of child ${id} has failed`)
    if (row.state !== 'compensating') await compensate(id)
    await pause(pollMs, signal)
  }
  signal.throwIfAborted()
}
