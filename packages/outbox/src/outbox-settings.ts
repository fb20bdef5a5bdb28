import { z } from 'zod'
import { callback, checked, count } from './option-problems.ts'
import type { OutboxOptions } from './outbox.ts'

const schema = z.strictObject({
  models: z
    .record(
      z.string(),
      z.strictObject({
        by: z.enum(['client', 'trigger', 'log']).optional(),
        before: z.boolean().optional(),
        omit: z.array(z.string()).optional(),
        cascades: z.enum(['refuse', 'ignore']).optional(),
      }),
    )
    .optional(),
  upcasters: z
    .record(
      z.string(),
      z.record(z.string().regex(/^[1-9][0-9]{0,4}$/u, 'it must be a version, 1 to 32,767'), callback),
    )
    .optional(),
  notify: z.boolean().optional(),
  retention: z
    .strictObject({
      keepMs: count.optional(),
      partitionEvents: count.optional(),
      alarmEvents: count.optional(),
      evictAfterMs: count.optional(),
      inboxMs: count.optional(),
    })
    .optional(),
})

/** @throws OutboxError DB_OUTBOX_OPTIONS naming every wrong one */
export function checkOutboxOptions(options: OutboxOptions): void {
  checked(schema, options, { what: 'Options of the outbox' })
}

const jobSize = { chunk: count.max(100_000).optional(), rowsPerSecond: z.number().positive().optional() }
const backfillSchema = z.strictObject({ consumer: z.string().min(1), ...jobSize })
const texts = z.array(z.string()).min(1).optional()
const replaySchema = z.strictObject({
  from: z
    .union([z.number().int().min(0), z.date()], 'it must be a number from 0 on, or a valid date')
    .optional(),
  upTo: z.number().int().min(0).optional(),
  topics: texts,
  keys: texts,
})

/** @throws OutboxError DB_OUTBOX_OPTIONS naming every wrong one */
export function checkJobOptions(kind: 'replay' | 'backfill', options: unknown): void {
  checked(kind === 'replay' ? replaySchema : backfillSchema, options, { what: `Options of the ${kind}` })
}
