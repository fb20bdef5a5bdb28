import { SagaError } from './errors.ts'
import type { Ended, RunAround } from './run-around.ts'
import type { Patch, RunJournal } from './run-journal.ts'

export interface RunEndOptions {
  readonly id: string
  readonly name: string
  readonly around: RunAround
  readonly journal: () => RunJournal
  /** Called once, with why it is void where it is. */
  readonly onOver: (void_: SagaError | undefined) => void
}

/** How a run ends for this process: told to whoever waits, after it is stored. */
export class RunEnd {
  readonly ended: Promise<Ended>
  /** Resolves when the saga is in the database; with false if its id was taken. Rejects if it could not be stored. */
  readonly born: Promise<boolean>
  /** Resolves when something of it was stored for the first time, or it is over. */
  readonly hasMoved: Promise<void>
  readonly #options: RunEndOptions
  #moved: () => void = () => undefined
  #end: (ended: Ended) => void = () => undefined
  #born: (isNew: boolean) => void = () => undefined
  #unborn: (error: unknown) => void = () => undefined

  constructor(options: RunEndOptions) {
    this.#options = options
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.hasMoved = new Promise((resolve) => {
      this.#moved = resolve
    })
    this.born = new Promise((resolve, reject) => {
      this.#born = resolve
      this.#unborn = reject
    })
    // Nobody may be waiting for it.
    this.born.catch(() => undefined)
  }

  moved(): void {
    this.#moved()
  }

  /** It is in the database. */
  arrived(): void {
    this.#born(true)
  }

  /** Stores the last that there is to say, and is over. */
  async last(how: Ended['how'], patch: Patch, ended: Partial<Ended> = {}): Promise<void> {
    const { id, around, journal } = this.#options
    let isStored = false
    try {
      isStored = await journal().flush(patch)
    } catch (error) {
      if (!journal().isBorn) return this.stillborn(error)
      around.events.emit('saga.failed', { task: `end of ${id}`, error })
    }
    if (isStored) this.#over({ how, ...ended })
    else if (!journal().isLost) this.#over({ how: 'lost' })
  }

  /** Another process has it, or had its id before. */
  lost(): void {
    const { id, name, around, journal } = this.#options
    const isTaken = !journal().isBorn
    const reason = new SagaError('DB_SAGA_LEASE_LOST', 'Another process has taken the saga over', {
      saga: id,
    })
    if (!isTaken) around.events.emit('saga.lease.lost', { id, name })
    this.#over({ how: isTaken ? 'taken-id' : 'lost' }, reason)
  }

  /** It could not be stored, so it does not exist; or nobody knows, and then another process goes on. */
  stillborn(error: unknown): void {
    this.#unborn(error)
    this.#over({ how: 'lost' })
  }

  #over(ended: Ended, reason?: SagaError): void {
    this.#options.onOver(reason)
    this.#moved()
    this.#born(ended.how !== 'taken-id')
    this.#end(ended)
  }
}
