import type pg from 'pg'
import type { HostAddress } from '../../connection-url.ts'
import { DatabaseError } from '../../database-error.ts'
import type { DatabaseClient } from '../database-client.ts'
import { WireStatement } from '../fast/wire-statement.ts'
import type { HostConnection, Hosts } from './hosts.ts'

type ClientClass = new (config?: string | pg.ClientConfig) => DatabaseClient

/** The inner side of node-postgres' client, as far as it is used. */
interface Inner {
  host: string
  port: number
  _queryable: boolean
  readonly connection: {
    readonly stream: { destroy(): void }
    on(event: 'readyForQuery', listener: (message: { readonly status: string }) => void): void
    on(
      event: 'parameterStatus',
      listener: (message: { readonly parameterName: string; readonly parameterValue: string }) => void,
    ): void
  }
}

/** The server changes its role or goes away: read-only, ended by the administrator, crashed, not up yet. */
const suspicious: ReadonlySet<unknown> = new Set(['25006', '57P01', '57P02', '57P03'])

/** Makes a class of clients that connect to whichever of several servers is the one, and tell when it seems not to be. */
export function hostClientClass(Base: ClientClass, hosts: Hosts): ClientClass {
  return class extends Base implements HostConnection {
    address: HostAddress | undefined
    #retired = false
    #idle = false
    /** PostgreSQL 14 and later say so by themselves. */
    readonly #parameters = new Map<string, string>()

    constructor(config?: string | pg.ClientConfig) {
      super(config)
      const { connection } = this as unknown as Inner
      connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
        this.#parameters.set(parameterName, parameterValue)
      })
      connection.on('readyForQuery', ({ status }) => {
        this.#idle = status === 'I'
        if (this.#retired && this.#idle) this.#end()
      })
      this.on('error', () => hosts.suspect())
      this.once('end', () => hosts.leave(this))
    }

    override connect(): Promise<never>
    override connect(callback: (error: Error) => void): void
    override connect(callback?: (error: Error) => void): unknown {
      const connecting = this.#connect()
      if (!callback) return connecting
      const done = callback as unknown as (error: unknown) => void
      connecting.then(() => done(null), done)
      return undefined
    }

    async #connect(): Promise<void> {
      const address = await hosts.current()
      const inner = this as unknown as Inner
      inner.host = address.host
      inner.port = address.port
      try {
        await super.connect()
      } catch (error) {
        hosts.suspect()
        throw error
      }
      this.address = address
      hosts.join(this)
      if (this.#fits()) return
      hosts.suspect()
      this.#end()
      throw new DatabaseError('DB_UNREACHABLE', `${address.host}:${address.port} has changed its role`, {
        outcome: 'not-sent',
        retryable: true,
      })
    }

    #fits(): boolean {
      const standby = this.#parameters.get('in_hot_standby')
      if (standby === undefined) return true
      const readOnly = standby === 'on' || this.#parameters.get('default_transaction_read_only') === 'on'
      return hosts.accepts({ standby: standby === 'on', readOnly })
    }

    override query(...args: never[]): never {
      this.#idle = false
      const running: unknown = (super.query as (...given: never[]) => unknown)(...args)
      if (running instanceof Promise) {
        running.catch((error: { readonly code?: unknown }) => {
          if (suspicious.has(error.code)) hosts.suspect()
        })
      } else if (running instanceof WireStatement) {
        running.onFailure = (error) => {
          if (suspicious.has((error as { code?: unknown }).code)) hosts.suspect()
        }
      }
      return running as never
    }

    retire(): void {
      this.#retired = true
      if (this.#idle) this.#end()
    }

    #end(): void {
      const inner = this as unknown as Inner
      // The pool keeps no connection that is not queryable, even if it gets it back before the socket is closed.
      inner._queryable = false
      // The answer that has just come is still to be handed on.
      setImmediate(() => inner.connection.stream.destroy())
    }
  }
}
