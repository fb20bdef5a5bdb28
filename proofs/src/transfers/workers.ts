import { isDbError } from '@org/db-core'
import { type Bank, carryOut, InsufficientFunds, randomTransfer, type Transfer } from './bank.ts'

/** What the workers were told about each transfer. */
export interface Reports {
  readonly done: ReadonlySet<string>
  /** Refused for lack of money: an answer, no failure. */
  readonly refused: ReadonlySet<string>
  /** Reported as not carried out, by code. */
  readonly failed: ReadonlyMap<string, string>
  /** Reported as of unknown outcome. */
  readonly unknown: ReadonlyMap<string, string>
  /** Of the transfers done, sorted. */
  readonly latenciesMs: readonly number[]
}

/** Lets the workers transfer money as long as `goesOn` says so; each ends the transfer that it has begun. */
export async function work(
  bank: Bank,
  options: { readonly workers: number; readonly goesOn: () => boolean },
): Promise<Reports> {
  const done = new Set<string>()
  const refused = new Set<string>()
  const failed = new Map<string, string>()
  const unknown = new Map<string, string>()
  const latenciesMs: number[] = []

  async function one(transfer: Transfer): Promise<void> {
    const startedAt = performance.now()
    try {
      await carryOut(bank, transfer)
      done.add(transfer.id)
      latenciesMs.push(performance.now() - startedAt)
    } catch (error) {
      const code = Reflect.get(error as object, 'code') ?? String(error)
      if (error instanceof InsufficientFunds) refused.add(transfer.id)
      // Its own id is taken: an earlier attempt whose answer was lost has carried it out after all.
      else if (isDbError(error, 'DB_UNIQUE_VIOLATION')) done.add(transfer.id)
      else
        (Reflect.get(error as object, 'outcome') === 'unknown' ? unknown : failed).set(
          transfer.id,
          String(code),
        )
    }
  }

  async function worker(): Promise<void> {
    while (options.goesOn()) await one(randomTransfer())
  }

  await Promise.all(Array.from({ length: options.workers }, worker))
  return { done, refused, failed, unknown, latenciesMs: latenciesMs.sort((a, b) => a - b) }
}
