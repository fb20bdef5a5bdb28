import type { PoolMode } from '../../config.ts'
import type { Pipeline } from '../pipeline.ts'
import type { DatabasePool } from '../pool.ts'
import type { StatementCounter } from '../statement-metrics.ts'
import { columnText, type TakeRow } from './data-row.ts'
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

  const send: Send = (prepared, values, reach, take) =>
    counter.measure(() => {
      const { scope } = reach
      const open = scope?.connection
      if (!scope || !open) {
        return lane.run({ prepared, values, settings: settingsOf(reach), take }, reach.context)
      }
      // The settings are those of BEGIN.
      const run = (): Promise<void> => {
        const { named } = lane
        const own = new WireStatement({ prepared, values, named, settings: undefined, take })
        return open.connection.run(own, reach.context)
      }
      return scope.gate.share(() => open.turnstile.pass(run))
    })
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
  const rows: object[] = []
  let count = 0
  const take: TakeRow =
    result === 'count'
      ? (bytes, at) => {
          count = Number(columnText(bytes, at))
        }
      : (bytes, at) => {
          rows.push(prepared.decode(bytes, at))
        }
  try {
    await send(prepared, ticket.values, ticket, take)
  } catch (error) {
    ticket.reject(error)
    return
  }
  ticket.resolve(result === 'rows' ? rows : result === 'count' ? count : (rows[0] ?? null))
}

/** What the server says of a prepared statement that it has forgotten, has twice, or whose table has changed. */
const stale: ReadonlySet<unknown> = new Set(['26000', '42P05', '0A000'])

/** Whether the server does not know the statement any more as it was prepared. */
export function isStale(error: unknown): boolean {
  return stale.has((error as { readonly code?: unknown }).code)
}
