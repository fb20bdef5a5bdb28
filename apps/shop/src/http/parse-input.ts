import type { z } from 'zod'

/** One wrong field of a request. */
export interface FieldProblem {
  /** As JavaScript would reach it: `items[0].quantity`; `body` for the whole of it. */
  readonly field: string
  readonly message: string
}

/** A request that can't be understood, with every field that is wrong. */
export class InputError extends Error {
  readonly fields: readonly FieldProblem[]

  constructor(fields: readonly FieldProblem[]) {
    super('The request is not valid')
    this.name = 'InputError'
    this.fields = fields
  }
}

/** Checks what came from outside. @throws InputError naming every wrong field */
export function parseInput<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  throw new InputError(parsed.error.issues.flatMap(toProblems))
}

function toProblems(issue: z.core.$ZodIssue): FieldProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: fieldName([...issue.path, key]), message: 'Unknown field' }))
  }
  return [{ field: fieldName(issue.path), message: issue.message }]
}

function fieldName(path: readonly PropertyKey[]): string {
  return (
    path
      .map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`))
      .join('')
      .replace(/^\./u, '') || 'body'
  )
}
