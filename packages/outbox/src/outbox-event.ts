import type { Change } from '@org/db-core'

/** What an application says has happened. */
export interface NewEvent {
  /** What kind of event: `order.placed`. Consumers choose by it. */
  readonly topic: string
  /** What it is about: `order:17`. Events of one key arrive in the order in which they were committed. */
  readonly key: string
  /** Any JSON value. Default `null`. */
  readonly payload?: unknown
  /** The version of the payload's shape, 1 to 32,767; upcasters bring older ones up to date. Default 1. */
  readonly version?: number
  /** What is known beside it, such as `traceparent`; `tenant`, `actor` and `requestId` of the context are added. */
  readonly headers?: Readonly<Record<string, string>>
}

/** One event as consumers get it: `model` is the topic, `after` the payload or the row's new state. */
export interface OutboxEvent<Payload = unknown> extends Change {
  /** The number in the feed; with a backfill, the position that the row is known to be no older than. */
  readonly seq: number
  /**
   * Grows from change to change of one key, also across `renewEpoch`: store it beside what you write, and write only
   * where the stored one is not greater. Keep it for deleted rows too.
   */
  readonly version: bigint
  /** The version of the payload's shape, after upcasting. */
  readonly schemaVersion: number
  /** What came of `after`. */
  readonly payload: Payload
  /** `live`: as it happens. `replay`, `backfill`: delivered again, beside the live ones. */
  readonly origin: 'live' | 'replay' | 'backfill'
  readonly headers: Readonly<Record<string, string>>
  /** Which of the 16 partitions its key falls into. */
  readonly part: number
}

/** Lifts a payload from one version to the next. */
export type Upcaster = (payload: unknown, headers: Readonly<Record<string, string>>) => unknown

/** By topic, then by the version that the function takes: `{ 'order.placed': { 1: (v1) => v2 } }`. */
export type Upcasters = Readonly<Record<string, Readonly<Record<number, Upcaster>>>>

/** A row of the feed as SQL gives it. */
export interface EventRow {
  readonly seq: string
  readonly part: number
  readonly topic: string
  readonly key: string
  readonly op: string
  readonly version: number
  readonly payload: unknown
  readonly before: unknown
  readonly headers: Readonly<Record<string, string>> | null
  /** Epoch milliseconds. */
  readonly at: number
}

/** An event before its payload is brought up to date. */
export type FeedEvent = OutboxEvent

const kinds = { e: 'event', c: 'create', u: 'update', d: 'delete' } as const
const none: Readonly<Record<string, string>> = Object.freeze({})

/** The columns of `EventRow`, of a table or subquery named `e`. */
export const eventColumns =
  'e.seq, e.part, e.topic, e.key, e.op, e.version, e.payload, e.before, e.headers, (extract(epoch FROM e.at) * 1000)::float8 AS at'

/** Guards of one epoch stand above all of the epochs before. */
export function versionOf(epoch: number, seq: number): bigint {
  return (BigInt(epoch) << 48n) | BigInt(seq)
}

/** How rows become events. */
export interface Decoding {
  readonly epoch: number
  readonly origin: OutboxEvent['origin']
}

export function toEvent(row: EventRow, { epoch, origin }: Decoding): FeedEvent {
  const seq = Number(row.seq)
  const headers = row.headers ?? none
  const version = versionOf(epoch, seq)
  return {
    id: origin === 'live' ? String(version) : `${version}:${row.key}`,
    model: row.topic,
    kind: kinds[row.op as keyof typeof kinds],
    key: row.key,
    ...(headers.tenant !== undefined && { tenant: headers.tenant }),
    ...(row.before !== null && { before: row.before }),
    after: row.payload,
    at: new Date(row.at),
    seq,
    version,
    schemaVersion: row.version,
    payload: row.payload,
    origin,
    headers,
    part: row.part,
  }
}

/** The event with a payload of the newest version; whatever an upcaster throws makes it a poison event. */
export function upcast(event: FeedEvent, upcasters: Upcasters): FeedEvent {
  const steps = upcasters[event.model]
  if (steps?.[event.schemaVersion] === undefined) return event
  let { schemaVersion } = event
  // A second delivery begins with what was stored, whatever an upcaster has done to it.
  let payload: unknown = structuredClone(event.payload)
  for (let step = steps[schemaVersion]; step; step = steps[schemaVersion]) {
    payload = step(payload, event.headers)
    schemaVersion += 1
  }
  return { ...event, payload, after: payload, schemaVersion }
}
