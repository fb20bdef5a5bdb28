import type { RunJournal } from './run-journal.ts'
import { forever } from './step-errors.ts'

export interface StoringOptions {
  readonly journal: RunJournal
  /** Whether what is noted will be stored with something that comes anyway. */
  readonly isEnding: () => boolean
  /** The saga has just come into the database. */
  readonly onBorn: () => void
  readonly onBroken: (error: unknown) => void
}

/** When what a run notes is stored: before something goes out, with a transaction, or soon. */
export class Storing {
  readonly #options: StoringOptions
  #transacting = 0
  #isFlushing = false

  constructor(options: StoringOptions) {
    this.#options = options
  }

  /** When this turn of the event loop is over; by then a next step may have taken it along. */
  soon(): void {
    const { journal, isEnding, onBroken } = this.#options
    if (this.#isFlushing || this.#transacting > 0) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      if (isEnding() || !journal.isDirty || this.#transacting > 0) return
      void journal.flush().catch(onBroken)
    })
  }

  /** Before something goes out; the rest never happens where that fails. */
  async before(): Promise<void> {
    const { journal, onBorn, onBroken } = this.#options
    const wasBorn = journal.isBorn
    const isStored = await journal.flush().catch((error: unknown) => {
      onBroken(error)
      return false
    })
    if (!isStored) return forever()
    if (!wasBorn) onBorn()
  }

  /** Runs a transaction that takes along what is noted, which is therefore not stored by itself meanwhile. */
  async transact<T>(fn: () => Promise<T>): Promise<T> {
    const { journal } = this.#options
    this.#transacting += 1
    try {
      await journal.quiet()
      return await fn()
    } finally {
      this.#transacting -= 1
      if (journal.isDirty) this.soon()
    }
  }
}
