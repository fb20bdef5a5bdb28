import type { PoolMode } from '../../config.ts'
import type { Pipeline } from '../pipeline.ts'
import type { DatabasePool } from '../pool.ts'
import type { StatementCounter } from '../statement-metrics.ts'
import { undecodable } from './decoder.ts'
import { createLane } from './lane.ts'
import { createLookups, type Lookups, type Reach, type Send, type Ticket } from './lookups.ts'
import { WireStatement } from './wire-statement.ts'

/** What one server's lookups need. */
export interface FastServerOptions {
  readonly pool: DatabasePool
  readonly counter: StatementCounter
  readonly mode: () => PoolMode | 'detect'
  readonly pipeline: Pipeline
  /** The user's client with our extension, for what Prisma has to answer. */
  readonly client: object
  /** Whether it is a replica, whose failures Prisma's adapter makes good. */
  readonly isReplica: boolean
}

/** One server as the fast path reaches it. */
export interface FastServer extends Pick<FastServerOptions, 'pipeline' | 'client' | 'isReplica'> {
  /** Answers a call; its promise is settled by the ticket's own functions. */
  answer(ticket: Ticket): void
  /** Runs a statement once, on a connection of the pool or of the transaction. */
  readonly send: Send
}

/** Makes it. */
export function createFastServer(options: FastServerOptions): FastServer {
  const { pool, counter, mode, pipeline, client, isReplica } = options
  const lane = createLane(pool, mode)

  const send: Send = async (prepared, values, reach) => {
    const statement = await counter.measure(() => {
      const { scope } = reach
      const open = scope?.connection
      if (!scope || !open) return lane.run({ prepared, values, settings: settingsOf(reach) }, reach.context)
      // The settings are those of BEGIN.
      const run = async (): Promise<WireStatement> => {
        const own = new WireStatement({ prepared, values, named: lane.named, settings: undefined })
        await open.connection.run(own, reach.context)
        return own
      }
      return scope.gate.share(() => open.turnstile.pass(run))
    })
    return statement.rows
  }
  const lookups: Lookups = createLookups(send)

  return {
    pipeline,
    client,
    isReplica,
    send,
    answer(ticket) {
      if (ticket.plan.merge) lookups.add(ticket)
      else void answerAlone(ticket, send)
    },
  }
}

function settingsOf({ grant }: Reach): readonly (readonly [name: string, value: string])[] | undefined {
  return grant?.settings.map(([name, value]) => [name, value] as const)
}

async function answerAlone(ticket: Ticket, send: Send): Promise<void> {
  const { prepared, result } = ticket.plan
  try {
    const rows = await send(prepared, ticket.values, ticket)
    if (result === 'rows') ticket.resolve(rows.map((raw) => prepared.decode(raw)))
    else if (result === 'count') ticket.resolve(Number(rows[0]?.[0] ?? 0))
    else ticket.resolve(rows[0] ? prepared.decode(rows[0]) : null)
  } catch (error) {
    ticket.reject(error)
  }
}

/** What the server says of a prepared statement that it has forgotten, has twice, or whose table has changed. */
const stale: ReadonlySet<unknown> = new Set(['26000', '42P05', '0A000'])

/** Whether the server does not know the statement any more as it was prepared. */
export function isStale(error: unknown): boolean {
  return stale.has((error as { readonly code?: unknown }).code)
}

/** Whether the rows hold something that only Prisma can read, or has an error for. */
export function isUnreadable(error: unknown): boolean {
  return error === undecodable || error instanceof SyntaxError
}
