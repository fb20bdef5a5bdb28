import { z } from 'zod'
import { OutboxError } from './errors.ts'

/** A whole number from 1 on. */
export const count: z.ZodNumber = z.number().int().min(1).max(Number.MAX_SAFE_INTEGER)
/** Longer timers end at once. */
export const milliseconds: z.ZodNumber = z.number().int().min(1).max(2_147_483_647)
export const callback: z.ZodType<(...args: never) => unknown> = z.custom<(...args: never) => unknown>(
  (value) => typeof value === 'function',
  {
    error: 'it must be a function',
  },
)

/** What the schema says about the options; `more` are problems that it can't see. @throws OutboxError DB_OUTBOX_OPTIONS naming every wrong field */
export function checked<Schema extends z.ZodType>(
  schema: Schema,
  options: unknown,
  { what, more = [] }: { readonly what: string; readonly more?: readonly string[] },
): z.output<Schema> {
  const parsed = schema.safeParse(options)
  const problems = [...(parsed.success ? [] : parsed.error.issues.flatMap(textsOf)), ...more]
  if (parsed.success && problems.length === 0) return parsed.data
  throw new OutboxError('DB_OUTBOX_OPTIONS', `${what}: ${problems.join('; ')}`)
}

function textsOf(issue: z.core.$ZodIssue): readonly string[] {
  const field = issue.path.map(String)
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${[...field, key].join('.')} is no option`)
  }
  return [`${field.join('.') || 'options'}: ${issue.message}`]
}
