export type { CaptureOptions } from './captured-models.ts'
export type { Consumer, ConsumerMetrics } from './consumer.ts'
export type { ConsumerOptions, Delivery, RetryOptions } from './consumer-options.ts'
export { createOutbox } from './create-outbox.ts'
export { OutboxError, type OutboxErrorCode } from './errors.ts'
export type { OutboxEvents } from './events.ts'
export type {
  BackfillOptions,
  ConsumerStatus,
  DeadLetter,
  JobStatus,
  Operator,
  OutboxStatus,
  ReplayOptions,
} from './operator.ts'
export type { Outbox, OutboxOptions } from './outbox.ts'
export type { NewEvent, OutboxEvent, Upcaster, Upcasters } from './outbox-event.ts'
export type { RetentionOptions } from './retention.ts'
export { outboxSchema } from './schema.ts'
