import type { SqlExecutor } from '@org/db-core'
import type { Check } from '../proof.ts'
import { accounts, openingBalance } from './bank.ts'
import type { Reports } from './workers.ts'

/** Compares what the workers were told with what is in the books. */
export async function audit(sql: SqlExecutor, reports: Reports): Promise<readonly Check[]> {
  const { done, refused, failed, unknown } = reports
  const recorded = new Set((await sql.query<{ id: string }>('SELECT id FROM transfer')).map(({ id }) => id))
  const [books] = await sql.query<{ total: number; wrong: number }>(
    `SELECT sum(balance)::int AS total, count(*) FILTER (WHERE balance <> $1 + coalesce(received, 0) - coalesce(paid, 0))::int AS wrong
     FROM account
     LEFT JOIN (SELECT to_account AS id, sum(amount) AS received FROM transfer GROUP BY 1) AS credit USING (id)
     LEFT JOIN (SELECT from_account AS id, sum(amount) AS paid FROM transfer GROUP BY 1) AS debit USING (id)`,
    [openingBalance],
  )
  const lost = [...done].filter((id) => !recorded.has(id)).length
  const phantom = [...refused, ...failed.keys()].filter((id) => recorded.has(id)).length
  const unreported = [...recorded].filter((id) => !done.has(id) && !unknown.has(id)).length
  const total = accounts * openingBalance
  const share = done.size / (done.size + failed.size + unknown.size)
  return [
    {
      name: 'the total has not changed',
      passed: books?.total === total,
      detail: `${books?.total} of ${total}`,
    },
    {
      name: 'every account holds what its transfers come to, each counted once',
      passed: books?.wrong === 0,
      detail: `${books?.wrong} accounts differ`,
    },
    { name: 'every transfer reported as done is on record', passed: lost === 0, detail: `${lost} missing` },
    {
      name: 'no transfer reported as refused or failed is on record',
      passed: phantom === 0,
      detail: `${phantom} on record`,
    },
    {
      name: 'every transfer on record was reported as done, or as unknown',
      passed: unreported === 0,
      detail: `${unreported} unreported`,
    },
    {
      name: 'more than 99.9 % of the transfers succeeded',
      passed: share > 0.999,
      detail: `${(share * 100).toFixed(3)} %: ${done.size} done, ${failed.size} failed, ${unknown.size} unknown`,
    },
  ]
}
