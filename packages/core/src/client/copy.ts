import { currentContext } from '../context.ts'
import type { Ambient } from './ambient.ts'
import type { Lifecycle } from './lifecycle.ts'
import { type DatabasePool, isOrdinary, type PooledClient } from './pool.ts'
import type { StatementCounter } from './statement-metrics.ts'

/** What copying needs around it. */
export interface CopyOptions {
  readonly pool: DatabasePool
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  readonly counter: StatementCounter
}

/** `COPY … FROM STDIN`, on the ambient transaction's connection, else on any of the pool. */
export type Copy = (text: string, data: Iterable<Buffer>) => Promise<void>

/** Makes it for one database. */
export function createCopy({ pool, ambient, lifecycle, counter }: CopyOptions): Copy {
  return async (text, data) => {
    const context = currentContext()
    const scope = ambient.scope()
    if (scope?.ended) throw scope.ended
    const open = scope?.connection
    const on = (client: PooledClient): Promise<void> =>
      counter.measure(() => client.run(new CopyIn(text, data), context))
    if (scope && open) return scope.gate.share(() => open.turnstile.pass(() => on(open.connection)))
    return lifecycle.track(async () => {
      const client = (await pool.connect()) as PooledClient
      try {
        await on(client)
        client.release()
      } catch (error) {
        client.release(!isOrdinary(error))
        throw error
      }
    })
  }
}

/** node-postgres' low-level connection, as far as it is used. */
interface WireConnection {
  query(text: string): void
  sendCopyFromChunk(chunk: Buffer): void
  endCopyFrom(): void
  sendCopyFail(message: string): void
}

/** What node-postgres calls a submittable. */
class CopyIn {
  readonly text: string
  readonly done: Promise<void>
  readonly #data: Iterable<Buffer>
  #resolve!: () => void
  #reject!: (error: unknown) => void
  #failure: { readonly error: unknown } | undefined

  constructor(text: string, data: Iterable<Buffer>) {
    this.text = text
    this.#data = data
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  submit(connection: WireConnection): null {
    connection.query(this.text)
    return null
  }

  handleCopyInResponse(connection: WireConnection): void {
    try {
      for (const chunk of this.#data) connection.sendCopyFromChunk(chunk)
      connection.endCopyFrom()
    } catch (error) {
      // Made while it is sent: what can't be made ends the statement, or the connection would wait for it.
      this.#failure = { error }
      connection.sendCopyFail('there is no more data')
    }
  }

  handleCommandComplete(): void {
    // The server is ready after it.
  }

  handleReadyForQuery(): void {
    this.#resolve()
  }

  handleError(error: Error): void {
    this.#reject(this.#failure ? this.#failure.error : error)
  }

  handleEmptyQuery(): void {
    // There is always a text.
  }
}
