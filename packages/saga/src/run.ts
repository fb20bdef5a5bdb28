import { restoreContext } from '@org/db-core'
import type { SagaDefinition } from './definition.ts'
import { SagaError, type StoredError, toStored } from './errors.ts'
import { type Entry, emptyRecord, fold, type StepRecord } from './journal.ts'
import type { Ended, RunAround, Undoing } from './run-around.ts'
import { contextOf } from './run-context.ts'
import { type Birth, RunJournal } from './run-journal.ts'
import type { SagaRow } from './saga-row.ts'
import type { SagaState } from './saga-state.ts'
import { changed, forever, mistakes, stepFailed, stepUnknown, stopped } from './step-errors.ts'
import { undoAll } from './undo.ts'
import { Waits } from './waits.ts'
import { throughJson } from './writer.ts'

/** How the code of a saga has ended. */
type Settled = { readonly output: unknown } | { readonly error: unknown }

/** What is shorter is waited for in memory, the saga in hand. */
export const holdMs = 1_000

/** One saga in the hands of one process, from claim to end. Use it once. */
export class Run {
  readonly id: string
  readonly name: string
  readonly journal: RunJournal
  readonly token: number
  readonly version: number
  readonly around: RunAround
  readonly ended: Promise<Ended>
  /** Aborts what is under way when the saga is lost or must be handed back; compensations heed this one alone. */
  readonly life: AbortController = new AbortController()
  readonly #row: SagaRow
  readonly #startedAt = Date.now()
  readonly #definition: SagaDefinition
  /** Aborts steps also when the saga is cancelled. */
  readonly forward: AbortController = new AbortController()
  readonly #undoings = new Map<string, Undoing>()
  readonly #waits = new Waits(() => {
    this.#executing += 1
  })
  #visited = new Set<string>()
  #visits = 0
  phase: 'forward' | 'replaying' | 'undoing' | 'over' = 'forward'
  #executing = 0
  #settled: Settled | undefined
  abort: SagaError | undefined
  #isRefused = false
  isDraining = false
  #isChecking = false
  #isFlushing = false
  #transacting = 0
  #deadlineTimer: NodeJS.Timeout | undefined
  #end: (ended: Ended) => void = () => undefined
  #born: (isNew: boolean) => void = () => undefined
  #unborn: (error: unknown) => void = () => undefined
  /** Resolves when the saga is in the database; with false if its id was taken. Rejects if it could not be stored. */
  readonly born: Promise<boolean>

  constructor(row: SagaRow, definition: SagaDefinition, around: RunAround, birth?: Birth) {
    this.id = row.id
    this.name = row.name
    this.token = Number(row.token)
    this.version = row.version
    this.around = around
    this.#row = row
    this.#definition = definition
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.born = new Promise((resolve, reject) => {
      this.#born = resolve
      this.#unborn = reject
    })
    // Nobody may be waiting for it.
    this.born.catch(() => undefined)
    const record = fold(emptyRecord(), row.journal)
    this.journal = new RunJournal({
      id: row.id,
      name: row.name,
      version: row.version,
      token: this.token,
      record,
      page: row.pages,
      pageBytes: row.journal.length === 0 ? 0 : JSON.stringify(row.journal).length,
      parent: row.parent ?? undefined,
      parentStep: row.parent_step ?? undefined,
      writer: around.writer,
      birth,
      onAsked: (asked) => this.ask(asked),
      onLost: () => this.#lost(),
    })
  }

  get isOver(): boolean {
    return this.phase === 'over'
  }

  get undoings(): ReadonlyMap<string, Undoing> {
    return this.#undoings
  }

  /** Begins, in the context in which the saga was started. */
  start(): void {
    const { deadline_ms: deadlineMs, asked, state, context } = this.#row
    restoreContext(context ?? {}, () => {
      if (deadlineMs !== null && deadlineMs < 2 ** 31) {
        this.#deadlineTimer = setTimeout(() => this.#abortWith('DB_SAGA_DEADLINE'), Math.max(0, deadlineMs))
      }
      if (deadlineMs !== null && deadlineMs <= 0) this.#abortWith('DB_SAGA_DEADLINE')
      if (asked) this.ask(asked)
      if (state === 'compensating') this.#go(this.#undo(this.#row.error ?? undefined))
      else this.#play()
    })
  }

  /** Asks it to turn back; refused behind a pivot. */
  ask(asked: 'cancel' | 'compensate'): void {
    this.#abortWith('DB_SAGA_CANCELLED', asked === 'compensate' ? 'An operator has it undone' : undefined)
  }

  /** Something may have arrived that it waits for. */
  poke(): void {
    this.#waits.poke()
  }

  /** Ends at the next step, and hands the saga back; `isNow` does not wait for the one under way. */
  drain(options: { readonly isNow: boolean } = { isNow: false }): void {
    this.isDraining = true
    if (options.isNow) {
      this.life.abort(new SagaError('DB_SAGA_CLOSED', 'The worker is closing'))
      this.forward.abort(this.life.signal.reason)
      void this.handBack()
    } else this.#check()
  }

  async handBack(): Promise<void> {
    if (this.phase === 'over') return
    this.phase = 'over'
    await this.#last('handed-back', { release: true, runAt: Date.now() })
  }

  /** Ends in a state, for good or for an operator. */
  async finish(
    state: SagaState,
    given: { readonly output?: unknown; readonly error?: StoredError } = {},
  ): Promise<void> {
    this.phase = 'over'
    const isFinal = state === 'completed' || state === 'compensated' || state === 'cancelled'
    await this.#last('finished', { state, ...given, release: true, isFinal }, { state, ...given })
  }

  async #last(
    how: Ended['how'],
    patch: Parameters<RunJournal['flush']>[0],
    ended: Partial<Ended> = {},
  ): Promise<void> {
    let isStored = false
    try {
      isStored = await this.journal.flush(patch)
    } catch (error) {
      if (!this.journal.isBorn) return this.#stillborn(error)
      this.around.events.emit('saga.failed', { task: `end of ${this.id}`, error })
    }
    if (isStored) this.#over({ how, ...ended })
    else if (!this.journal.isLost) this.#over({ how: 'lost' })
  }

  #over(ended: Ended): void {
    this.phase = 'over'
    this.#waits.end()
    clearTimeout(this.#deadlineTimer)
    this.#born(ended.how !== 'taken-id')
    this.#end(ended)
  }

  #lost(): void {
    const isTaken = !this.journal.isBorn
    const reason = new SagaError('DB_SAGA_LEASE_LOST', 'Another process has taken the saga over', {
      saga: this.id,
    })
    if (!isTaken) this.around.events.emit('saga.lease.lost', { id: this.id, name: this.name })
    this.#over({ how: isTaken ? 'taken-id' : 'lost' })
    this.life.abort(reason)
    this.forward.abort(reason)
  }

  #abortWith(code: 'DB_SAGA_CANCELLED' | 'DB_SAGA_DEADLINE', message?: string): void {
    if (this.abort || this.phase !== 'forward') return
    const { id, name } = this
    if (this.journal.record.isPivoted) {
      if (code === 'DB_SAGA_CANCELLED' && !this.#isRefused)
        this.around.events.emit('saga.cancel.refused', { id, name })
      this.#isRefused = true
      return
    }
    const text = message ?? (code === 'DB_SAGA_CANCELLED' ? 'The saga was cancelled' : 'The deadline is over')
    this.abort = new SagaError(code, text, { saga: id })
    this.forward.abort(this.abort)
    this.#check()
  }

  #play(): void {
    this.#visited = new Set()
    this.#settled = undefined
    const context = contextOf(this)
    const settle = (settled: Settled): void => {
      this.#settled = settled
      this.#check()
    }
    const run = async (): Promise<unknown> => {
      const { input } = this.#definition
      return this.#definition.run(context, input ? input.parse(this.#row.input) : this.#row.input)
    }
    run().then(
      (output) => settle({ output }),
      (error: unknown) => settle({ error }),
    )
  }

  /** Looks what is to be done next, when all that has just become possible has begun. */
  #check(): void {
    if (this.#isChecking || this.phase !== 'forward') return
    this.#isChecking = true
    setImmediate(() => {
      this.#isChecking = false
      if (this.phase === 'forward' && this.#executing === 0) this.#next()
    })
  }

  #next(): void {
    if (this.abort) this.#go(this.#undo(toStored(this.abort)))
    else if (this.isDraining) void this.handBack()
    else if (this.#settled) this.#go(this.#conclude(this.#settled))
    else if (this.#waits.size > 0) void this.#rest()
  }

  async #conclude(settled: Settled): Promise<void> {
    if ('error' in settled) {
      const { error } = settled
      const stored = toStored(error)
      const isChanged = error instanceof SagaError && mistakes.has(error.code)
      if (isChanged || this.journal.record.isPivoted) return this.finish('suspended', { error: stored })
      return this.#undo(stored)
    }
    const lost = [...this.journal.record.steps.keys()].find((name) => !this.#visited.has(name))
    if (lost !== undefined) return this.finish('suspended', { error: toStored(changed(this.id, lost)) })
    try {
      await this.finish('completed', {
        output: throughJson(settled.output, `The output of saga ${this.name}`),
      })
    } catch (error) {
      await this.finish('suspended', { error: toStored(error) })
    }
  }

  async #undo(error: StoredError | undefined): Promise<void> {
    this.phase = 'replaying'
    const reason = this.journal.record.abort ?? error ?? { name: 'SagaError', message: 'The saga is undone' }
    if (!this.journal.record.abort) this.journal.note({ k: 'abort', n: '', e: reason })
    if (this.journal.isDirty && !(await this.journal.flush({ state: 'compensating', error: reason }))) return
    const isKnown = (): boolean =>
      [...this.journal.record.steps.keys()].every((name) => this.#visited.has(name))
    if (!isKnown()) await this.#replay()
    if (this.phase !== 'replaying') return
    this.phase = 'undoing'
    if (isKnown()) return undoAll(this, reason)
    const lost = [...this.journal.record.steps.keys()].find((name) => !this.#visited.has(name)) ?? ''
    await this.finish('compensation_failed', { error: toStored(changed(this.id, lost)) })
  }

  /** Runs the code through what has been, to learn how to undo it; nothing new is begun. */
  async #replay(): Promise<void> {
    this.#play()
    for (let seen = -1; seen !== this.#visits || this.#settled === undefined; ) {
      if (seen === this.#visits) return
      seen = this.#visits
      for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** What the journal says of a step, or how it is to begin. */
  visit(
    name: string,
    undoing?: Undoing,
  ): { readonly known: StepRecord | undefined; readonly isOver: boolean } {
    if (this.#visited.has(name)) {
      throw new SagaError('DB_SAGA_OPTIONS', `Step ${name} is there twice`, { saga: this.id, step: name })
    }
    this.#visited.add(name)
    this.#visits += 1
    if (undoing) this.#undoings.set(name, undoing)
    const known = this.journal.record.steps.get(name)
    if (known?.state === 'failed') throw stepFailed(this.id, known)
    if (known?.state === 'unknown') throw stepUnknown(this.id, known)
    const isDone = known?.state === 'done'
    return {
      known,
      isOver:
        !isDone &&
        (this.phase !== 'forward' ||
          this.abort !== undefined ||
          this.isDraining ||
          this.#settled !== undefined),
    }
  }

  /** Does something that counts as under way. */
  async work<T>(fn: () => Promise<T>): Promise<T> {
    if (this.around.hooks()) {
      throw new SagaError('DB_SAGA_TRANSACTION', 'Steps can not be called inside a transaction', {
        saga: this.id,
      })
    }
    this.#executing += 1
    try {
      return await fn()
    } catch (error) {
      if (error !== stopped) throw error
    } finally {
      this.#executing -= 1
      this.#check()
    }
    return forever()
  }

  /** A result is shown to the code before it is stored: nothing goes out in between, and the next step takes it along. */
  done<T>(name: string, entry: Partial<Entry>, value: T): T {
    this.journal.note({ k: 'done', n: name, ...entry, ...(value !== undefined && { o: value }) })
    this.flushSoon()
    return value
  }

  flushSoon(): void {
    if (this.#isFlushing || this.#transacting > 0) return
    this.#isFlushing = true
    setImmediate(() => {
      this.#isFlushing = false
      if (this.isOver || !this.journal.isDirty || this.#settled || this.#transacting > 0) return
      void this.journal.flush().catch((error: unknown) => this.#broken(error))
    })
  }

  #go(work: Promise<void>): void {
    work.catch((error: unknown) => this.#broken(error))
  }

  #broken(error: unknown): void {
    if (this.isOver) return
    if (this.journal.isBorn) void this.finish('suspended', { error: toStored(error) })
    else this.#stillborn(error)
  }

  /** It could not be stored, so it does not exist; or nobody knows, and then another process goes on. */
  #stillborn(error: unknown): void {
    this.#unborn(error)
    this.#over({ how: 'lost' })
  }

  /** Stores what is noted before something goes out; the rest never happens where that fails. */
  async flushed(): Promise<void> {
    const wasBorn = this.journal.isBorn
    const isStored = await this.journal.flush().catch((error: unknown) => {
      this.#broken(error)
      return false
    })
    if (!isStored) return forever()
    if (!wasBorn) this.#born(true)
  }

  /** Runs a transaction that takes along what is noted, which is therefore not stored by itself meanwhile. */
  async transact<T>(fn: () => Promise<T>): Promise<T> {
    this.#transacting += 1
    try {
      await this.journal.quiet()
      return await fn()
    } finally {
      this.#transacting -= 1
      if (this.journal.isDirty) this.flushSoon()
    }
  }

  /** Waits in memory as long as something else is under way or it is not long, else in the database. */
  async until(at: number | undefined, signal?: string): Promise<void> {
    this.#executing -= 1
    const woken = this.#waits.add(at, signal)
    this.#check()
    await woken
  }

  async #rest(): Promise<void> {
    const { soonest, signals } = this.#waits
    if (soonest !== undefined && soonest - Date.now() <= holdMs) return
    this.phase = 'over'
    this.#waits.end()
    const { deadline_ms: deadlineMs } = this.#row
    const isLimited = deadlineMs !== null && !this.journal.record.isPivoted
    const times = [soonest, isLimited ? this.#startedAt + deadlineMs : undefined].filter(
      (at) => at !== undefined,
    )
    const runAt = times.length > 0 ? { runAt: Math.min(...times) } : {}
    await this.#last('parked', { state: 'waiting', release: true, ...runAt })
    if (signals.length > 0) await this.#wakeIfSignalled(signals)
  }

  /** What arrived while it was being parked has found nobody to wake. */
  async #wakeIfSignalled(names: readonly string[]): Promise<void> {
    await this.around
      .sql()
      .query(
        `UPDATE orgdb.saga SET run_at = clock_timestamp() WHERE id = $1 AND owner IS NULL AND state = 'waiting'
           AND EXISTS (SELECT FROM orgdb.saga_signal WHERE saga = $1 AND name = ANY ($2) AND NOT taken)`,
        [this.id, names],
      )
      .catch((error: unknown) => this.around.events.emit('saga.failed', { task: `wake ${this.id}`, error }))
  }

  /** The key of a step: of the saga that it was done for, where that is not this one. */
  keyOf(step: string): string {
    const { origin } = this.journal.record.steps.get(step) ?? {}
    return `${origin?.saga ?? this.id}/${origin?.step ?? step}`
  }
}
