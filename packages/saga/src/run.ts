import { restoreContext } from '@org/db-core'
import { Code } from './code.ts'
import { conclude, turnBack } from './conclude.ts'
import type { SagaDefinition } from './definition.ts'
import { SagaError, type StoredError, toStored } from './errors.ts'
import { type Entry, emptyRecord, fold, type StepRecord } from './journal.ts'
import { dueOf, wakeIfSignalled } from './parking.ts'
import type { Ended, RunAround, Undoing } from './run-around.ts'
import { contextOf } from './run-context.ts'
import { RunEnd } from './run-end.ts'
import { type Birth, RunJournal } from './run-journal.ts'
import type { SagaRow } from './saga-row.ts'
import { finalStates, type SagaState } from './saga-state.ts'
import { forever, insideTransaction, stepFailed, stepUnknown, stopped } from './step-errors.ts'
import { Storing } from './storing.ts'
import { UnderWay } from './under-way.ts'
import { Waits } from './waits.ts'
import { WayBack } from './way-back.ts'

/** One saga in the hands of one process, from claim to end. Use it once. */
export class Run {
  readonly id: string
  readonly name: string
  readonly version: number
  readonly token: number
  readonly journal: RunJournal
  readonly around: RunAround
  readonly code: Code
  readonly ended: Promise<Ended>
  readonly born: Promise<boolean>
  /** Resolves when the saga has got further than it was when it was taken up, or is over. */
  readonly moved: Promise<void>
  /** Aborts what is under way when the saga is lost or must be handed back; compensations heed this one alone. */
  readonly life: AbortController = new AbortController()
  /** Aborts steps also when the saga is cancelled. */
  readonly forward: AbortController = new AbortController()
  phase: 'forward' | 'catching-up' | 'undoing' | 'over' = 'forward'
  isDraining = false
  readonly #row: SagaRow
  readonly #end: RunEnd
  readonly #storing: Storing
  readonly #underWay: UnderWay
  readonly #waits: Waits
  readonly #wayBack: WayBack
  readonly #deadlineAt: number | undefined

  constructor(row: SagaRow, definition: SagaDefinition, around: RunAround, birth?: Birth) {
    const { id, name, deadline_ms: deadlineMs } = row
    this.id = id
    this.name = name
    this.version = row.version
    this.token = Number(row.token)
    this.around = around
    this.#row = row
    this.#deadlineAt = deadlineMs === null ? undefined : around.now() + deadlineMs
    this.#underWay = new UnderWay(
      (fn) => this.#asItself(fn),
      () => this.#next(),
    )
    this.#waits = new Waits(around.now, () => this.#underWay.begin())
    const onOver = (reason: SagaError | undefined): void => this.#over(reason)
    this.#end = new RunEnd({ id, name, around, journal: () => this.journal, onOver })
    this.ended = this.#end.ended
    this.born = this.#end.born
    this.moved = this.#end.hasMoved
    this.journal = new RunJournal({
      row,
      record: fold(emptyRecord(), row.journal),
      writer: around.writer,
      birth,
      onAsked: (asked) => this.ask(asked),
      onStored: () => this.#end.moved(),
      onLost: () => this.#end.lost(),
    })
    const { record } = this.journal
    this.code = new Code({ row, definition, record, onSettled: () => this.#underWay.look() })
    this.#wayBack = new WayBack(this, () => this.#underWay.look())
    this.#storing = new Storing({
      journal: this.journal,
      isEnding: () => this.isOver || this.code.settled !== undefined,
      onBorn: () => this.#end.arrived(),
      onBroken: (error) => this.#broken(error),
    })
  }

  /** Why it turns back. */
  get abort(): SagaError | undefined {
    return this.#wayBack.why
  }

  get isOver(): boolean {
    return this.phase === 'over'
  }

  /** Begins. */
  start(): void {
    const { deadline_ms: deadlineMs, asked, state } = this.#row
    this.#asItself(() => {
      if (deadlineMs !== null) this.#wayBack.setDeadline(deadlineMs)
      if (asked) this.ask(asked)
      if (state === 'compensating') this.#go(turnBack(this, this.#row.error ?? undefined))
      else this.code.play(contextOf(this))
    })
  }

  /** Asks it to turn back; refused behind a pivot. */
  ask(asked: 'cancel' | 'compensate'): void {
    this.#wayBack.ask(asked)
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
    } else this.#underWay.look()
  }

  async handBack(): Promise<void> {
    if (this.isOver) return
    this.phase = 'over'
    await this.#end.last('handed-back', { release: true, runAt: this.around.now() })
  }

  /** Ends in a state, for good or for an operator. */
  async finish(
    state: SagaState,
    given: { readonly output?: unknown; readonly error?: StoredError } = {},
  ): Promise<void> {
    this.phase = 'over'
    const isFinal = finalStates.has(state)
    await this.#end.last('finished', { state, ...given, release: true, isFinal }, { state, ...given })
  }

  /** What the journal says of a step, or how it is to begin. */
  visit(
    name: string,
    undoing?: Undoing,
  ): { readonly known: StepRecord | undefined; readonly isOver: boolean } {
    this.code.visit(name, undoing)
    const known = this.journal.record.steps.get(name)
    if (known?.state === 'failed') throw stepFailed(this.id, known)
    if (known?.state === 'unknown') throw stepUnknown(this.id, known)
    const isForward = this.phase === 'forward' && !this.abort && !this.isDraining && !this.code.settled
    return { known, isOver: known?.state !== 'done' && !isForward }
  }

  /** Does something that counts as under way. */
  async work<T>(fn: () => Promise<T>): Promise<T> {
    if (this.around.hooks()) throw insideTransaction(this.id)
    this.#underWay.begin()
    try {
      return await fn()
    } catch (error) {
      if (error !== stopped) throw error
    } finally {
      this.#underWay.end()
    }
    return forever()
  }

  /** Waits in memory as long as something else is under way or it is not long, else in the database. */
  async until(at: number | undefined, signal?: string): Promise<void> {
    const woken = this.#waits.add(at, signal)
    this.#underWay.end()
    await woken
  }

  /** A result is shown to the code before it is stored: nothing goes out in between, and the next step takes it along. */
  done<T>(name: string, entry: Partial<Entry>, value: T): T {
    this.journal.note({ k: 'done', n: name, ...entry, ...(value !== undefined && { o: value }) })
    this.flushSoon()
    return value
  }

  flushSoon(): void {
    this.#storing.soon()
  }

  /** Stores what is noted before something goes out; the rest never happens where that fails. */
  flushed(): Promise<void> {
    return this.#storing.before()
  }

  /** Runs a transaction that takes along what is noted. */
  transact<T>(fn: () => Promise<T>): Promise<T> {
    return this.#storing.transact(fn)
  }

  /** The key of a step: of the saga that it was done for, where that is not this one. */
  keyOf(step: string): string {
    const { origin } = this.journal.record.steps.get(step) ?? {}
    return `${origin?.saga ?? this.id}/${origin?.step ?? step}`
  }

  /** For whom the saga was started, in nobody's transaction: whoever lets it go on is no part of what it does. */
  #asItself(fn: () => void): void {
    this.around.outside(() => restoreContext(this.#row.context ?? {}, fn))
  }

  /** Looks what is to be done next. */
  #next(): void {
    if (this.phase !== 'forward') return
    const { settled } = this.code
    if (this.abort) this.#go(turnBack(this, toStored(this.abort)))
    else if (this.isDraining) void this.handBack()
    else if (settled) this.#go(conclude(this, settled))
    else if (this.#waits.size > 0) void this.#rest()
  }

  async #rest(): Promise<void> {
    const deadlineAt = this.journal.record.isPivoted ? undefined : this.#deadlineAt
    const due = dueOf(this.#waits, { now: this.around.now(), deadlineAt })
    if (!due) return
    const { signals } = this.#waits
    this.phase = 'over'
    this.#waits.end()
    await this.#end.last('parked', { state: 'waiting', release: true, ...due })
    await wakeIfSignalled(this.id, signals, this.around)
  }

  #over(reason: SagaError | undefined): void {
    this.phase = 'over'
    this.#waits.end()
    this.#wayBack.end()
    if (!reason) return
    this.life.abort(reason)
    this.forward.abort(reason)
  }

  #go(work: Promise<void>): void {
    work.catch((error: unknown) => this.#broken(error))
  }

  #broken(error: unknown): void {
    if (this.isOver) return
    if (this.journal.isBorn) void this.finish('suspended', { error: toStored(error) })
    else this.#end.stillborn(error)
  }
}
