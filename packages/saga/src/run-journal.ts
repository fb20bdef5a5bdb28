import type { StoredError } from './errors.ts'
import type { ProgressEvent, SagaProgress } from './feed.ts'
import { type Entry, fold, type Record } from './journal.ts'
import type { SagaRow } from './saga-row.ts'
import type { SagaState } from './saga-state.ts'
import type { Write, Writer } from './writer.ts'

/** What of a saga changes beside its journal. */
export interface Patch {
  readonly state?: SagaState
  readonly output?: unknown
  readonly error?: StoredError
  /** Gives the saga up; it can be claimed from `runAt` on, epoch milliseconds, or never. */
  readonly release?: boolean
  readonly runAt?: number
  readonly isFinal?: boolean
}

/** The saga as it begins, where it is not in the database yet. */
export interface Birth {
  readonly columns: Omit<Write, 'id' | 'token' | 'entries'>
  readonly writer: Writer
}

export interface RunJournalOptions {
  readonly row: SagaRow
  readonly record: Record
  readonly writer: Writer
  readonly birth: Birth | undefined
  readonly onAsked: (asked: 'cancel' | 'compensate') => void
  /** Something of it is in the database. */
  readonly onStored: () => void
  /** The token does not hold any more, or the id of a birth is taken. */
  readonly onLost: () => void
}

/** A page this long is put away, and a new one begun. */
const fullPageBytes = 6_000

const outcomes = { done: 'done', failed: 'failed', unknown: 'unknown', undone: 'undone' } as const

/** The journal of one run: what is noted is stored with the next write, in order, or never. */
export class RunJournal {
  readonly record: Record
  readonly #options: RunJournalOptions
  #dirty: Entry[] = []
  #taken: { readonly name: string; readonly id: string }[] = []
  #tail: Promise<unknown> = Promise.resolve()
  #birth: Birth | undefined
  #page: number
  #pageBytes: number
  #step: string | undefined
  isLost = false

  constructor(options: RunJournalOptions) {
    this.#options = options
    this.record = options.record
    this.#birth = options.birth
    const { pages, journal } = options.row
    this.#page = pages
    this.#pageBytes = journal.length === 0 ? 0 : JSON.stringify(journal).length
  }

  get isBorn(): boolean {
    return this.#birth === undefined
  }

  get isDirty(): boolean {
    return this.#dirty.length > 0
  }

  note(entry: Omit<Entry, 't'>): void {
    const full: Entry = { ...entry, t: Date.now() }
    fold(this.record, [full])
    this.#dirty.push(full)
    if (entry.k === 'start' || entry.k === 'wait') this.#step = entry.n
  }

  /** Notes that a signal has been taken; it is stored together with what is noted of it. */
  take(signal: { readonly name: string; readonly id: string }): void {
    this.#taken.push(signal)
  }

  hasTaken({ name, id }: { readonly name: string; readonly id: string }): boolean {
    return this.#taken.some((each) => each.name === name && each.id === id)
  }

  /** Stores what is noted; false if the saga is not ours any more. */
  flush(patch?: Patch): Promise<boolean> {
    const turn = this.#tail.then(() => this.#write(patch))
    // A write that is refused for good is its caller's to handle; those behind it still get their turn.
    this.#tail = turn.catch(() => undefined)
    return turn
  }

  /** Resolves when nothing is on its way. */
  async quiet(): Promise<void> {
    await this.#tail
  }

  /** Hands out what is noted, and one entry more, for a transaction that stores them with data of its own. */
  lend(entry: Omit<Entry, 't'>): Loan {
    const full: Entry = { ...entry, t: Date.now() }
    const lent = this.#dirty
    this.#dirty = []
    const entries = [...lent, full]
    return {
      entries,
      event: this.#eventOf(entries, undefined),
      commit: () => {
        this.#options.onStored()
        fold(this.record, [full])
        this.#pageBytes += 60 * entries.length + sizeOf(full.o)
      },
      giveBack: () => {
        this.#dirty = [...lent, ...this.#dirty]
      },
    }
  }

  /** The token does not hold any more. */
  lose(): void {
    if (this.isLost) return
    this.isLost = true
    this.#options.onLost()
  }

  async #write(patch: Patch | undefined): Promise<boolean> {
    if (this.isLost) return false
    const entries = this.#dirty
    const taken = this.#taken
    if (entries.length === 0 && taken.length === 0 && !patch && !this.#birth) return true
    this.#dirty = []
    this.#taken = []
    const { row, writer } = this.#options
    const { id, parent } = row
    const token = Number(row.token)
    const birth = this.#birth
    const write: Write = birth
      ? { id, token, entries, step: this.#step, ...birth.columns }
      : {
          id,
          token,
          entries,
          ...(this.#step !== undefined && { step: this.#step }),
          ...(taken.length > 0 && { taken }),
          ...(this.#pageBytes > fullPageBytes && { page: this.#page }),
          ...(patch && columnsOf(patch)),
          ...(patch?.isFinal && parent !== null && { parent, parent_step: row.parent_step }),
        }
    const bytes = entries.reduce((sum, { o, e }) => sum + 60 + sizeOf(o) + (e?.message.length ?? 0), 0)
    const event = this.#eventOf(entries, birth ? 'running' : patch?.state)
    const written = await (birth?.writer ?? writer).write(write, event)
    if (!written) {
      this.lose()
      return false
    }
    this.#birth = undefined
    this.#options.onStored()
    if (write.page === undefined) this.#pageBytes += bytes
    else {
      this.#page += 1
      this.#pageBytes = bytes
    }
    if (written.asked) this.#options.onAsked(written.asked)
    // A birth is written as it is: what else there is to say comes right behind it.
    return birth && patch ? this.#write(patch) : true
  }

  #eventOf(entries: readonly Entry[], state: SagaState | undefined): ProgressEvent | undefined {
    const steps = entries.flatMap(({ k, n }) => {
      const outcome = outcomes[k as keyof typeof outcomes]
      return outcome && n !== '' ? [{ step: n, outcome }] : []
    })
    if (steps.length === 0 && state === undefined) return undefined
    const { id, name, version } = this.#options.row
    const payload: SagaProgress = { id, name, version, steps, ...(state !== undefined && { state }) }
    return { topic: `saga.${name}`, key: `saga:${id}`, payload }
  }
}

/** What a transaction stores for the journal. */
export interface Loan {
  readonly entries: readonly Entry[]
  readonly event: ProgressEvent | undefined
  /** It is stored. */
  commit(): void
  /** It was rolled back: what was noted waits for the next write. */
  giveBack(): void
}

function columnsOf({ state, output, error, release, runAt, isFinal }: Patch): object {
  return {
    ...(state !== undefined && { state }),
    ...(output !== undefined && { output, has_output: true }),
    ...(error !== undefined && { error }),
    ...(release && { release, crashes: 1 }),
    ...(runAt !== undefined && { run_at: runAt }),
    ...(isFinal && { is_final: true, release: true }),
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return typeof value === 'object' && value !== null ? JSON.stringify(value).length : 8
}
