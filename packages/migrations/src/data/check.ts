import { z } from 'zod'
import { problemsOf } from '../problems.ts'

const text = z.string().min(1)
const pause = z.number().min(0).max(2_147_483_647)
const callback = z.custom((value) => typeof value === 'function', { error: 'must be a function' })

const schema = z.strictObject({
  each: z
    .strictObject({
      table: text,
      key: z.union([text, z.array(text).min(1)], {
        error: 'must be the name of a column, or a list of names',
      }),
      columns: z.array(text).optional(),
      where: text.optional(),
      size: z.number().int().min(1).max(1_000_000).optional(),
      pauseMs: pause.optional(),
      maxReplicaLagMs: pause.optional(),
      lock: z.boolean().optional(),
    })
    .optional(),
  up: callback,
  down: callback.optional(),
  validate: callback.optional(),
})

/** What is wrong with the default export of a `data.ts`, a sentence a field; nothing where it is a data migration. */
export function dataProblems(value: unknown): readonly string[] {
  const parsed = schema.safeParse(value)
  return parsed.success ? [] : problemsOf(parsed.error)
}
