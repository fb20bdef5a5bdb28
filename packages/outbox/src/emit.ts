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

/** Stores events in one statement, numbered in their order. @throws OutboxError DB_OUTBOX_PAYLOAD, before anything is sent */
export async function insertEvents(sql: SqlExecutor, events: readonly NewEvent[]): Promise<void> {
  for (const [index, event] of events.entries()) check(event, index)
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

/** What PostgreSQL's text can't hold: NUL, and halves of characters. */
const unstorable = /\0|[\uD800-\uDFFF]/u
/** The same in JSON, where an even number of backslashes stands before the one that escapes. */
const unstorableJson = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f])/u

function check(event: unknown, index: number): void {
  const wrong = (problem: string): OutboxError =>
    new OutboxError('DB_OUTBOX_PAYLOAD', `Event ${index} of those given to emit: ${problem}`)
  if (typeof event !== 'object' || event === null) throw wrong('it is no object')
  const { topic, key, version = 1, headers } = event as Partial<NewEvent>
  for (const [name, text] of Object.entries({ topic, key })) {
    if (typeof text !== 'string' || text === '') throw wrong(`${name} must be text that is not empty`)
    if (unstorable.test(text)) throw wrong(`${name} holds what PostgreSQL can't store`)
  }
  if (!(Number.isInteger(version) && version >= 1 && version <= 32_767)) {
    throw wrong('version must be a whole number from 1 to 32,767')
  }
  if (headers === undefined) return
  if (typeof headers !== 'object' || headers === null) throw wrong('headers must be an object')
  if (Object.values(headers).some((value) => typeof value !== 'string')) throw wrong('headers must hold text')
}

function headersJson({ topic, headers }: NewEvent, context: Record<string, string> | null): string | null {
  return headers || context ? storable(JSON.stringify({ ...context, ...headers }), topic, 'headers') : null
}

function payloadOf({ topic, payload = null }: NewEvent): string {
  let text: string | undefined
  try {
    text = JSON.stringify(payload)
  } catch (error) {
    throw new OutboxError('DB_OUTBOX_PAYLOAD', `The payload of ${topic} is no JSON value`, { cause: error })
  }
  if (text !== undefined) return storable(text, topic, 'payload')
  throw new OutboxError('DB_OUTBOX_PAYLOAD', `The payload of ${topic} is no JSON value`)
}

function storable(json: string, topic: string, what: string): string {
  if (!json.includes('\\u') || !unstorableJson.test(json)) return json
  throw new OutboxError('DB_OUTBOX_PAYLOAD', `The ${what} of ${topic} holds text that PostgreSQL can't store`)
}
