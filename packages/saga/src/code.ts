import type { SagaContext } from './context.ts'
import type { SagaDefinition } from './definition.ts'
import { SagaError } from './errors.ts'
import type { Record } from './journal.ts'
import type { Undoing } from './run-around.ts'
import type { SagaRow } from './saga-row.ts'

/** How the code of a saga has ended. */
export type Settled = { readonly output: unknown } | { readonly error: unknown }

/** How long code may be on its way from one step to the next before it counts as one that does not come by it. */
const patienceMs = 10_000
/** The same for branches that are left when the code itself has ended. */
const settledPatienceMs = 1_000

export interface CodeOptions {
  readonly row: SagaRow
  readonly definition: SagaDefinition
  readonly record: Record
  readonly onSettled: () => void
}

/** The saga's own code in this process: it is played once, from its beginning, and comes by what the journal has. */
export class Code {
  settled: Settled | undefined
  readonly undoings: Map<string, Undoing> = new Map()
  readonly #options: CodeOptions
  readonly #visited = new Set<string>()
  #isPlaying = false
  #movedAt = 0

  constructor(options: CodeOptions) {
    this.#options = options
  }

  /** A step of the journal that the code has not come by. */
  get missed(): string | undefined {
    return [...this.#options.record.steps.keys()].find((name) => !this.#visited.has(name))
  }

  play(context: SagaContext): void {
    if (this.#isPlaying) return
    this.#isPlaying = true
    this.#movedAt = performance.now()
    const settle = (settled: Settled): void => {
      this.settled = settled
      this.#movedAt = performance.now()
      this.#options.onSettled()
    }
    this.#run(context).then(
      (output) => settle({ output }),
      (error: unknown) => settle({ error }),
    )
  }

  /** The code comes by a step. @throws SagaError DB_SAGA_OPTIONS */
  visit(name: string, undoing: Undoing | undefined): void {
    if (this.#visited.has(name)) {
      const saga = this.#options.row.id
      throw new SagaError('DB_SAGA_OPTIONS', `Step ${name} is there twice`, { saga, step: name })
    }
    this.#visited.add(name)
    this.#movedAt = performance.now()
    if (undoing) this.undoings.set(name, undoing)
  }

  /** Waits until the code has come by all that the journal has, so that how to undo it is known; it may not come. */
  async caughtUp(isOver: () => boolean): Promise<void> {
    for (let turn = 0; this.missed !== undefined && !isOver(); turn += 1) {
      const patience = this.settled ? settledPatienceMs : patienceMs
      if (performance.now() - this.#movedAt > patience) return
      // What waits for nothing but promises is there within some turns of the event loop.
      await new Promise<void>((resolve) => {
        if (turn < 20) setImmediate(resolve)
        else setTimeout(resolve, 5)
      })
    }
  }

  async #run(context: SagaContext): Promise<unknown> {
    const { definition, row } = this.#options
    let { input } = row
    try {
      if (definition.input) input = definition.input.parse(input)
    } catch (cause) {
      const text = `Version ${row.version} of saga ${row.name} does not take the input any more that it has`
      throw new SagaError('DB_SAGA_CHANGED', text, { saga: row.id, cause })
    }
    return definition.run(context, input)
  }
}
