import { AnswerReader, type AnswerTaker, type ReadConnection } from './answer-reader.ts'
import { type TakeRow, takeTexts } from './data-row.ts'
import { runMessages } from './messages.ts'
import type { Prepared } from './prepared.ts'

/** node-postgres' low-level connection, as far as it is used. */
interface WireConnection extends ReadConnection {
  readonly stream: ReadConnection['stream'] & { write(data: Buffer): boolean }
  /** Statements by their names, as node-postgres keeps them. */
  readonly parsedStatements: Record<string, string | undefined>
  sendCopyFail(message: string): void
}

/** How it is sent. */
export interface WireOptions {
  readonly prepared: Prepared
  readonly values: readonly string[]
  /** Whether the connection may keep it under a name. */
  readonly named: boolean
  readonly settings: readonly (readonly [name: string, value: string])[] | undefined
  /** Is given each row as it comes, of which nothing holds before all is done. What it throws is the failure. */
  readonly take: TakeRow
}

/**
 * One run of a prepared statement: what node-postgres calls a submittable. It leaves out what a lookup does not
 * need: an event emitter, a result object, several network writes, types that are known already.
 */
export class WireStatement implements AnswerTaker {
  readonly text: string
  /** By which node-postgres remembers what the connection knows. */
  readonly name: string
  /** Settled by node-postgres. */
  readonly done: Promise<void>
  /** Told of a failure; the connection's own concern. */
  onFailure: ((error: Error) => void) | undefined
  readonly #options: WireOptions
  #isPresetting: boolean
  #resolve!: () => void
  #reject!: (error: unknown) => void
  #failure: { readonly error: unknown } | undefined

  constructor(options: WireOptions) {
    const { prepared, named, settings } = options
    this.#options = options
    this.text = prepared.text
    this.name = named ? prepared.name : ''
    this.#isPresetting = settings !== undefined
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  submit(connection: WireConnection): null {
    const { prepared, values, settings } = this.#options
    const { name, text } = this
    const parse = name === '' ? settings === undefined : connection.parsedStatements[name] === undefined
    // Without a name nothing warns of a column whose type has changed, so that the types are asked for.
    const describe = parse || name === '' || !prepared.isDescribed
    AnswerReader.of(connection)?.expect(this)
    connection.stream.write(runMessages({ text, name, values, parse, describe, settings }))
    return null
  }

  handleRowDescription({ fields }: { readonly fields: readonly { readonly dataTypeID: number }[] }): void {
    try {
      this.#options.prepared.describe(fields.map(({ dataTypeID }) => dataTypeID))
    } catch (error) {
      this.#failure = { error }
    }
  }

  takeRow(bytes: Buffer, at: number): void {
    if (this.#isPresetting || this.#failure) return
    try {
      this.#options.take(bytes, at)
    } catch (error) {
      this.#failure = { error }
    }
  }

  takeCompletion(): void {
    this.#isPresetting = false
  }

  handleDataRow({ fields }: { readonly fields: readonly (string | null)[] }): void {
    takeTexts(fields, (bytes, at) => this.takeRow(bytes, at))
  }

  handleCommandComplete(): void {
    this.takeCompletion()
  }

  handleReadyForQuery(): void {
    if (this.#failure) this.#reject(this.#failure.error)
    else this.#resolve()
  }

  handleError(error: Error): void {
    this.onFailure?.(error)
    this.#reject(error)
  }

  handleEmptyQuery(): void {
    // There is always a text.
  }

  handlePortalSuspended(): void {
    // All rows are asked for at once.
  }

  handleCopyInResponse(connection: WireConnection): void {
    connection.sendCopyFail('A lookup copies nothing')
  }

  handleCopyData(): void {
    // As above.
  }
}
