import { currentContext, type DbContext, type SqlExecutor } from '@org/db-core'
import { OutboxError } from './errors.ts'
import type { NewEvent } from './outbox-event.ts'

/** What the context says about an event; `null` where it says nothing. */
export function headersOf({ tenant, actor, requestId }: DbContext): Record<string, string> | null {
  if (tenant === undefined && actor === undefined && requestId === undefined) return null
  return {
    ...(tenant !== undefined && { tenant }),
    ...(actor !== undefined && { actor }),
    ...(requestId !== undefined && { requestId }),
  }
}

/** Stores events in one statement, numbered in their order. @throws OutboxError DB_OUTBOX_PAYLOAD */
export async function insertEvents(sql: SqlExecutor, events: readonly NewEvent[]): Promise<void> {
  const context = headersOf(currentContext())
  const [first] = events
  if (events.length === 1 && first) {
    const { topic, key, version = 1 } = first
    await sql.query(
      `INSERT INTO orgdb.outbox (topic, key, op, version, payload, headers) VALUES ($1, $2, 'e', $3, $4::jsonb, $5::jsonb)`,
      [topic, key, version, payloadOf(first), headersJson(first, context)],
    )
    return
  }
  await sql.query(
    `INSERT INTO orgdb.outbox (topic, key, op, version, payload, headers)
     SELECT topic, key, 'e', version, payload::jsonb, headers::jsonb
     FROM unnest($1::text[], $2::text[], $3::smallint[], $4::text[], $5::text[])
       WITH ORDINALITY AS e(topic, key, version, payload, headers, n) ORDER BY n`,
    [
      events.map(({ topic }) => topic),
      events.map(({ key }) => key),
      events.map(({ version = 1 }) => version),
      events.map(payloadOf),
      events.map((event) => headersJson(event, context)),
    ],
  )
}

function headersJson({ headers }: NewEvent, context: Record<string, string> | null): string | null {
  return headers || context ? JSON.stringify({ ...context, ...headers }) : null
}

function payloadOf({ topic, payload = null }: NewEvent): string {
  let text: string | undefined
  try {
    text = JSON.stringify(payload)
  } catch (error) {
    throw new OutboxError('DB_OUTBOX_PAYLOAD', `The payload of ${topic} is no JSON value`, { cause: error })
  }
  if (text !== undefined) return text
  throw new OutboxError('DB_OUTBOX_PAYLOAD', `The payload of ${topic} is no JSON value`)
}
