import { SagaError } from './errors.ts'
import type { Run } from './run.ts'

type Turning = Pick<Run, 'id' | 'name' | 'around' | 'phase' | 'journal' | 'forward'>

/** What can make a saga turn back from outside: somebody who asks for it, and its deadline; neither behind its pivot. */
export class WayBack {
  /** Why it turns back. */
  why: SagaError | undefined
  readonly #run: Turning
  readonly #onTurn: () => void
  #timer: NodeJS.Timeout | undefined
  #isRefused = false

  constructor(run: Turning, onTurn: () => void) {
    this.#run = run
    this.#onTurn = onTurn
  }

  /** Milliseconds from now; what timers can't hold is looked at when the saga is next taken up. */
  setDeadline(ms: number): void {
    if (ms <= 0) this.#deadline()
    else if (ms < 2 ** 31) this.#timer = setTimeout(() => this.#deadline(), ms)
  }

  ask(asked: 'cancel' | 'compensate'): void {
    this.#turn(
      'DB_SAGA_CANCELLED',
      asked === 'cancel' ? 'The saga was cancelled' : 'An operator has it undone',
    )
  }

  end(): void {
    clearTimeout(this.#timer)
  }

  #deadline(): void {
    this.#turn('DB_SAGA_DEADLINE', 'The deadline is over')
  }

  #turn(code: 'DB_SAGA_CANCELLED' | 'DB_SAGA_DEADLINE', message: string): void {
    const { id, name, around, phase, journal, forward } = this.#run
    if (this.why || phase !== 'forward') return
    if (journal.record.isPivoted) {
      if (code === 'DB_SAGA_CANCELLED' && !this.#isRefused)
        around.events.emit('saga.cancel.refused', { id, name })
      this.#isRefused = true
      return
    }
    this.why = new SagaError(code, message, { saga: id })
    forward.abort(this.why)
    this.#onTurn()
  }
}
