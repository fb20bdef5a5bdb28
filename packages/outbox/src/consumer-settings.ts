import type { ChangeSink } from '@org/db-core'
import { z } from 'zod'
import type { ConsumerOptions, ConsumerSettings } from './consumer-options.ts'
import { callback, checked, count, milliseconds } from './option-problems.ts'

const sink = z.custom<ChangeSink>(
  (value) => typeof value === 'object' && value !== null && typeof Reflect.get(value, 'write') === 'function',
  { error: 'it must have the method write' },
)

const schema = z.strictObject({
  name: z.string().min(1),
  topics: z.array(z.string().min(1)).min(1).optional(),
  from: z.enum(['start', 'now']).optional(),
  handle: callback.optional(),
  each: callback.optional(),
  sink: sink.optional(),
  exactlyOnce: z.boolean().optional(),
  batch: z
    .strictObject({
      maxCount: count.optional(),
      maxBytes: count.optional(),
      lingerMs: milliseconds.or(z.literal(0)).optional(),
    })
    .optional(),
  concurrency: z.number().int().min(1).max(16).optional(),
  maxInFlight: count.optional(),
  retry: z
    .strictObject({
      maxAttempts: count.optional(),
      maxCrashes: count.optional(),
      minDelayMs: milliseconds.optional(),
      maxDelayMs: milliseconds.optional(),
    })
    .optional(),
  afterDead: z.enum(['hold', 'continue']).optional(),
  maxParkedKeys: count.optional(),
  breaker: z
    .strictObject({
      failures: count.optional(),
      openMs: milliseconds.optional(),
      maxOpenMs: milliseconds.optional(),
    })
    .optional(),
  poll: z.strictObject({ minMs: milliseconds.optional(), maxMs: milliseconds.optional() }).optional(),
  leaseMs: milliseconds.min(100).optional(),
})

/** @throws OutboxError DB_OUTBOX_OPTIONS naming every wrong one */
export function toSettings(options: ConsumerOptions): ConsumerSettings {
  const given: Partial<ConsumerOptions> = typeof options === 'object' && options !== null ? options : {}
  checked(schema, options, { what: 'Options of the consumer', more: contradictions(given) })
  const { name, batch = {}, retry = {}, breaker = {}, poll = {} } = options
  const maxCount = batch.maxCount ?? 500
  const delays = bounds(retry.minDelayMs, retry.maxDelayMs, [500, 300_000])
  const opens = bounds(breaker.openMs, breaker.maxOpenMs, [1_000, 60_000])
  const polls = bounds(poll.minMs, poll.maxMs, [5, 1_000])
  return {
    name,
    topics: options.topics,
    from: options.from ?? 'start',
    isSingle: options.each !== undefined,
    exactlyOnce: options.exactlyOnce ?? false,
    maxCount,
    maxBytes: batch.maxBytes ?? 4 * 1024 * 1024,
    lingerMs: batch.lingerMs ?? 0,
    concurrency: options.concurrency ?? 1,
    maxInFlight: options.maxInFlight ?? maxCount * 4,
    maxAttempts: retry.maxAttempts ?? 10,
    maxCrashes: retry.maxCrashes ?? 3,
    minDelayMs: delays.least,
    maxDelayMs: delays.most,
    afterDead: options.afterDead ?? 'hold',
    maxParkedKeys: options.maxParkedKeys ?? 1_000,
    breakerFailures: breaker.failures ?? 5,
    openMs: opens.least,
    maxOpenMs: opens.most,
    pollMinMs: polls.least,
    pollMaxMs: polls.most,
    leaseMs: options.leaseMs ?? 10_000,
  }
}

/** A default gives way to what is given. */
function bounds(
  least: number | undefined,
  most: number | undefined,
  [leastDefault, mostDefault]: readonly [number, number],
): { readonly least: number; readonly most: number } {
  return {
    least: least ?? Math.min(leastDefault, most ?? leastDefault),
    most: most ?? Math.max(mostDefault, least ?? mostDefault),
  }
}

function contradictions({ handle, each, sink, retry, breaker, poll }: Partial<ConsumerOptions>): string[] {
  const problems: string[] = []
  if ([handle, each, sink].filter((one) => one !== undefined).length !== 1) {
    problems.push('handle: exactly one of handle, each and sink must be given')
  }
  const pairs = [
    ['retry', 'minDelayMs', 'maxDelayMs', retry?.minDelayMs, retry?.maxDelayMs],
    ['breaker', 'openMs', 'maxOpenMs', breaker?.openMs, breaker?.maxOpenMs],
    ['poll', 'minMs', 'maxMs', poll?.minMs, poll?.maxMs],
  ] as const
  for (const [group, lower, upper, least, most] of pairs) {
    if (least !== undefined && most !== undefined && least > most) {
      problems.push(`${group}.${upper}: it must not be below ${lower}`)
    }
  }
  return problems
}
