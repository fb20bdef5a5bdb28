import type { DbContext } from '../../context.ts'
import type { Grant } from '../row-security.ts'
import type { TransactionScope } from '../transaction-scope.ts'
import type { TakeRow } from './data-row.ts'
import { isUnreadable } from './decoder.ts'
import { FoundRows } from './found-rows.ts'
import { arrayParameter } from './parameter.ts'
import type { Merge, Plan } from './plan.ts'
import type { Prepared } from './prepared.ts'

/** On whose behalf a statement runs, and where. */
export interface Reach {
  readonly context: DbContext
  readonly scope: TransactionScope | undefined
  readonly grant: Grant | undefined
}

/** One call that waits for its row. */
export interface Ticket extends Reach {
  readonly plan: Plan
  readonly values: readonly string[]
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Sends one statement, whose rows go to `take` as they come. */
export type Send = (
  prepared: Prepared,
  values: readonly string[],
  reach: Reach,
  take: TakeRow,
) => Promise<void>

/** Takes lookups. */
export interface Lookups {
  add(ticket: Ticket): void
}

interface Batch {
  readonly first: Ticket
  readonly tickets: Ticket[]
}

/** Most keys of one statement. */
const mostKeys = 5_000

/** Puts lookups of one tick together that have shape, tenant, limits and transaction in common. */
export function createLookups(send: Send): Lookups {
  const waiting = new Map<Plan, Batch[]>()
  const refused = new WeakSet<Merge>()
  let isScheduled = false

  function flush(): void {
    isScheduled = false
    const batches = [...waiting.values()]
    waiting.clear()
    for (const list of batches) for (const { tickets } of list) void start(tickets)
  }

  function start(tickets: readonly Ticket[]): unknown {
    const [only, ...others] = tickets as readonly [Ticket, ...Ticket[]]
    const { merge } = only.plan
    if (others.length === 0 || !merge || refused.has(merge)) return Promise.all(tickets.map(alone))
    return together(tickets, merge)
  }

  async function alone(ticket: Ticket): Promise<void> {
    const { prepared } = ticket.plan
    let row: object | null = null
    try {
      await send(prepared, ticket.values, ticket, (bytes, at) => {
        row = prepared.decode(bytes, at)
      })
    } catch (error) {
      ticket.reject(error)
      return
    }
    ticket.resolve(row)
  }

  async function together(tickets: readonly Ticket[], merge: Merge): Promise<void> {
    const { prepared, key, rest } = merge
    const [first] = tickets as readonly [Ticket]
    const keys = key.map((index) => arrayParameter(tickets.map(({ values }) => values[index] as string)))
    const found = new FoundRows(tickets, merge)
    try {
      const sent = send(
        prepared,
        [...keys, ...rest.map((index) => first.values[index] as string)],
        first,
        (bytes, at) => found.take(bytes, at),
      )
      // While the server is at work.
      found.expect()
      await sent
    } catch (error) {
      if (isUnreadable(error)) {
        refused.add(merge)
        await Promise.all(tickets.map(alone))
      } else for (const ticket of tickets) ticket.reject(error)
      return
    }
    for (let place = 0; place < tickets.length; place++) tickets[place]?.resolve(found.rows[place])
  }

  return {
    add(ticket) {
      const { plan } = ticket
      const list = waiting.get(plan)
      if (!list) waiting.set(plan, [{ first: ticket, tickets: [ticket] }])
      else {
        const { merge } = plan
        const batch = merge && batchFor(ticket, list, merge)
        if (batch) batch.tickets.push(ticket)
        else list.push({ first: ticket, tickets: [ticket] })
      }
      if (isScheduled) return
      isScheduled = true
      process.nextTick(flush)
    },
  }
}

function batchFor(ticket: Ticket, list: readonly Batch[], merge: Merge): Batch | undefined {
  for (const batch of list) {
    if (batch.tickets.length < mostKeys && fits(ticket, batch.first, merge)) return batch
  }
  return undefined
}

function fits(one: Ticket, other: Ticket, { rest }: Merge): boolean {
  return (
    one.scope === other.scope &&
    one.grant?.party === other.grant?.party &&
    sameLimits(one.context, other.context) &&
    rest.every((index) => one.values[index] === other.values[index])
  )
}

/** Contexts that differ in nothing that a statement depends on. */
function sameLimits(one: DbContext, other: DbContext): boolean {
  return (
    one === other ||
    (one.tenant === other.tenant && one.signal === other.signal && one.deadlineAt === other.deadlineAt)
  )
}
