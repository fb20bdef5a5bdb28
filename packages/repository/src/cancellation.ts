import { DatabaseError } from '@org/db-core'

/**
 * Ends work between two statements. The error is that of a statement which is cancelled, as it is chance which of both
 * happens. @throws DatabaseError DB_CANCELLED once one of the signals has aborted
 */
export function checkSignals(...signals: readonly (AbortSignal | undefined)[]): void {
  const aborted = signals.find((signal) => signal?.aborted)
  if (!aborted) return
  throw new DatabaseError('DB_CANCELLED', 'The work was ended by its signal', {
    outcome: 'not-sent',
    cause: aborted.reason,
  })
}
