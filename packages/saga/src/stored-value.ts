import { SagaError } from './errors.ts'

const maxLength = 1_048_576

/**
 * What PostgreSQL's `jsonb` has no text for: NUL, and half of a character, as they stand in JSON. JSON.stringify writes a
 * whole character as it is and escapes only the halves; a backslash of the text itself is doubled there.
 */
const notStorable = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/

/** A value as it comes back from the journal. @throws SagaError DB_SAGA_VALUE */
export function throughJson(value: unknown, what: string): unknown {
  if (value === undefined || value === null || typeof value === 'boolean') return value
  if (typeof value === 'number' && Number.isFinite(value)) return value
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (error) {
    throw valueError(what, error)
  }
  if (text === undefined || text.length > maxLength || notStorable.test(text)) throw valueError(what)
  return JSON.parse(text)
}

function valueError(what: string, cause?: unknown): SagaError {
  return new SagaError(
    'DB_SAGA_VALUE',
    `${what} is no JSON value, or longer than 1 MiB`,
    cause === undefined ? {} : { cause },
  )
}
