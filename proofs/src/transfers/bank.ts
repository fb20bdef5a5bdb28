import { randomUUID } from 'node:crypto'
import type { SqlExecutor } from '@org/db-core'
import { createDatabase, type Database } from '@org/db-core/client'
import type { Retry } from '@org/db-retry'
import { PrismaClient } from '@org/prisma'

/** The bank as its workers see it. */
export type Bank = Database<PrismaClient>

export const accounts = 100
export const openingBalance = 1_000

/** One payment from one account to another. */
export interface Transfer {
  readonly id: string
  readonly from: number
  readonly to: number
  readonly amount: number
}

/** Opens the bank. The id of a transfer is its request's id, so that the retry can settle it. */
export function openBank(
  url: string,
  options: { readonly poolMode: 'direct' | 'transaction'; readonly workers: number; readonly retry: Retry },
): Bank {
  return createDatabase({
    url,
    pool: { mode: options.poolMode, max: options.workers },
    client: (adapter) => new PrismaClient({ adapter }),
    use: [options.retry],
  })
}

/** Makes the accounts, each with the opening balance. */
export async function openAccounts(sql: SqlExecutor): Promise<void> {
  await sql.query(`
    CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL CHECK (balance >= 0));
    CREATE TABLE transfer (
      id uuid PRIMARY KEY,
      from_account int NOT NULL REFERENCES account,
      to_account int NOT NULL REFERENCES account,
      amount int NOT NULL CHECK (amount > 0)
    )`)
  await sql.query('INSERT INTO account SELECT id, $1 FROM generate_series(1, $2) AS id', [
    openingBalance,
    accounts,
  ])
}

/** A payment between two different accounts. */
export function randomTransfer(): Transfer {
  const from = 1 + Math.floor(Math.random() * accounts)
  const other = 1 + Math.floor(Math.random() * (accounts - 1))
  return {
    id: randomUUID(),
    from,
    to: other < from ? other : other + 1,
    amount: 1 + Math.floor(Math.random() * 20),
  }
}

/** Thrown where the payer has too little; nothing is stored. */
export class InsufficientFunds extends Error {}

/** Carries a transfer out in one serializable transaction: it reads both balances and writes what it has computed. */
export function carryOut(bank: Bank, { id, from, to, amount }: Transfer): Promise<void> {
  return bank.run({ requestId: id }, () =>
    bank.transaction(
      async () => {
        const { sql } = bank
        await sql.query('INSERT INTO transfer VALUES ($1, $2, $3, $4)', [id, from, to, amount])
        const payer = await balanceOf(sql, from)
        if (payer < amount) throw new InsufficientFunds(id)
        const payee = await balanceOf(sql, to)
        await sql.query('UPDATE account SET balance = $2 WHERE id = $1', [from, payer - amount])
        await sql.query('UPDATE account SET balance = $2 WHERE id = $1', [to, payee + amount])
      },
      { isolationLevel: 'Serializable' },
    ),
  )
}

/** Whether the transfer is on record. */
export async function isRecorded(sql: SqlExecutor, id: string): Promise<boolean> {
  return (await sql.query('SELECT 1 FROM transfer WHERE id = $1', [id])).length > 0
}

async function balanceOf(sql: SqlExecutor, account: number): Promise<number> {
  const [row] = await sql.query<{ balance: number }>('SELECT balance FROM account WHERE id = $1', [account])
  if (!row) throw new Error(`No account ${account}`)
  return row.balance
}
