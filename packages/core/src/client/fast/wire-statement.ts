import { runMessages } from './messages.ts'
import type { Prepared, RawRow } from './prepared.ts'

/** node-postgres' low-level connection, as far as it is used. */
interface WireConnection {
  readonly stream: { write(data: Buffer): boolean }
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
}

/**
 * One run of a prepared statement: what node-postgres calls a submittable. It leaves out what a lookup does not
 * need: an event emitter, a result object, several network writes, types that are known already.
 */
export class WireStatement {
  readonly text: string
  /** By which node-postgres remembers what the connection knows. */
  readonly name: string
  readonly rows: RawRow[] = []
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

  handleDataRow({ fields }: { readonly fields: RawRow }): void {
    if (!this.#isPresetting) this.rows.push(fields)
  }

  handleCommandComplete(): void {
    this.#isPresetting = false
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
