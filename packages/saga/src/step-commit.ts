import { isDbError, type SqlExecutor } from '@org/db-core'
import { SagaError } from './errors.ts'
import type { Entry } from './journal.ts'
import type { Run } from './run.ts'
import type { Loan } from './run-journal.ts'

/** What a transaction has come to, and the note of it. */
export interface StepWork<T> {
  readonly entry: Omit<Entry, 't'>
  readonly value: T
}

/**
 * Runs work in a transaction that also stores its note: both or neither, and neither where the saga is another process's
 * by now. @throws whatever the work or the database throws, after a rollback
 */
export async function commitStep<T>(run: Run, step: string, work: () => Promise<StepWork<T>>): Promise<T> {
  const { journal, around } = run
  const { feed } = around
  let loan: Loan | undefined
  let asked: 'cancel' | 'compensate' | null = null
  try {
    const transaction = async (tx: SqlExecutor): Promise<T> => {
      // A retry around the transaction begins it anew.
      loan?.giveBack()
      loan = undefined
      const done = await work()
      loan = journal.lend(done.entry)
      const rows = await tx.query<{ asked: typeof asked }>(
        `UPDATE orgdb.saga SET journal = journal || $3::jsonb, step = $4, crashes = 0, updated_at = clock_timestamp()
         WHERE id = $1 AND token = $2 RETURNING asked`,
        [run.id, run.token, JSON.stringify(loan.entries), step],
      )
      if (rows.length === 0) {
        throw new SagaError('DB_SAGA_LEASE_LOST', 'Another process has taken the saga over', {
          saga: run.id,
          step,
        })
      }
      asked = rows[0]?.asked ?? null
      if (feed && loan.event) await feed.emit([loan.event])
      return done.value
    }
    const value = await run.transact(() => around.sql().transaction(transaction))
    loan?.commit()
    if (asked) run.ask(asked)
    return value
  } catch (error) {
    const lent = loan
    if (isDbError(error, 'DB_SAGA_LEASE_LOST')) journal.lose()
    else if (lent && isAmbiguous(error) && (await isStored(run, lent))) {
      lent.commit()
      return (lent.entries.at(-1) as Entry).o as T
    } else lent?.giveBack()
    throw error
  }
}

function isAmbiguous(error: unknown): boolean {
  return isDbError(error) && 'outcome' in error && error.outcome === 'unknown'
}

/** The note tells whether the commit whose answer got lost has happened. Asks until there is an answer. */
async function isStored(run: Run, { entries }: Loan): Promise<boolean> {
  const mark = JSON.stringify([entries.at(-1)])
  while (run.phase !== 'over') {
    try {
      const rows = await run.around.sql().query(
        `SELECT 1 FROM orgdb.saga WHERE id = $1 AND journal @> $2::jsonb
           UNION ALL SELECT 1 FROM orgdb.saga_page WHERE saga = $1 AND entries @> $2::jsonb`,
        [run.id, mark],
      )
      return rows.length > 0
    } catch (error) {
      if (!isDbError(error) || !error.retryable) throw error
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  return false
}
