import {
  createEvents,
  type InterceptorHost,
  type Next,
  type Operation,
  type SqlClient,
  type TransactionHooks,
} from '@org/db-core'
import { type CapturedModel, capturedModels } from './captured-models.ts'
import { createConsumer } from './consumer.ts'
import { createOperator } from './create-operator.ts'
import { headersOf, insertEvents } from './emit.ts'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'
import { feedSql } from './feed-sql.ts'
import type { JobSource } from './job-chunks.ts'
import { refuseNested } from './nested-writes.ts'
import { createNotifications } from './notifications.ts'
import type { Outbox, OutboxOptions, Part } from './outbox.ts'
import type { NewEvent } from './outbox-event.ts'
import { checkOutboxOptions } from './outbox-settings.ts'
import { maintainFeed } from './retention.ts'
import { captureWrite } from './row-capture.ts'
import { rowSql } from './row-sql.ts'
import { createSettler } from './settler.ts'
import { dropTriggerSql, triggerSql } from './triggers.ts'
import { createWake } from './wake.ts'

/** Makes an outbox, to be given to `createDatabase` as an interceptor. @throws OutboxError DB_OUTBOX_OPTIONS, for a wrong model when that happens */
export function createOutbox(options: OutboxOptions = {}): Outbox {
  checkOutboxOptions(options)
  const { models = {}, upcasters = {}, notify = true, retention = {} } = options
  const events = createEvents<OutboxEvents>()
  const wake = createWake()
  const announced = new WeakSet<TransactionHooks>()
  const parts = new Set<Part>()
  let host: InterceptorHost | undefined
  let client: SqlClient | undefined
  let captured: ReadonlyMap<string, CapturedModel> = new Map()

  function attached(): InterceptorHost {
    if (host) return host
    throw new OutboxError(
      'DB_OUTBOX_NOT_ATTACHED',
      'This outbox was not handed to createDatabase({ use: [...] })',
    )
  }

  const sql = (): SqlClient => {
    client ??= feedSql(attached().sql)
    return client
  }
  const settler = createSettler(sql, events)
  const notifications = createNotifications(attached, { wake, events, isOn: notify })
  const source: JobSource = {
    rows(model) {
      const known = captured.get(model)
      if (known) return known.rows
      const { metadata, schema } = attached()
      if (!metadata) {
        throw new OutboxError('DB_OUTBOX_METADATA', 'Rows need the models: hand `metadata` to createDatabase')
      }
      return rowSql(metadata, model, { schema })
    },
  }

  /** Wakes consumers when the transaction commits, once for all that was written in it. */
  function announceAtCommit(hooks: TransactionHooks): void {
    if (announced.has(hooks)) return
    announced.add(hooks)
    hooks.afterCommit(notifications.announce)
  }

  async function capture(operation: Operation, next: Next, model: CapturedModel): Promise<unknown> {
    const { hooks } = attached()
    const on = sql()
    const write = async (current: Operation): Promise<unknown> => {
      const inside = hooks()
      // A batch has a transaction that nothing else can join.
      if (!inside) throw batchRefused(operation)
      const headers = headersOf(operation.context)
      const result = await captureWrite(current, next, { model, sql: on, headers })
      announceAtCommit(inside)
      return result
    }
    if (operation.inTransaction) return write(operation)
    return on.transaction(() => write({ ...operation, inTransaction: true }))
  }

  async function passed(operation: Operation, next: Next): Promise<unknown> {
    const result = await next(operation)
    if (operation.transaction) announceAtCommit(operation.transaction)
    else notifications.announce()
    return result
  }

  const close: Outbox['close'] = async (closeOptions) => {
    await Promise.all([...parts].map((part) => part.close(closeOptions)))
    await notifications.close()
  }
  const maintain = (): Promise<void> => maintainFeed(sql(), events, { ...retention, settler })
  const byTrigger = (): readonly CapturedModel[] =>
    [...captured.values()].filter(({ by }) => by === 'trigger')

  return {
    name: 'outbox',
    stage: 'audit',
    attach(given) {
      captured = capturedModels(models, given)
      host = given
      client = undefined
      given.onClosing(close)
    },
    intercept(operation, next) {
      if (captured.size === 0 || operation.layer !== 'client' || operation.kind !== 'write')
        return next(operation)
      const metadata = host?.metadata
      if (metadata) refuseNested(operation, metadata, captured)
      const model = captured.get(operation.model ?? '')
      if (!model) return next(operation)
      if (model.by === 'log') return next(operation)
      return model.by === 'client' ? capture(operation, next, model) : passed(operation, next)
    },
    async emit(given) {
      const list = (Array.isArray(given) ? given : [given]) as readonly NewEvent[]
      const hooks = attached().hooks()
      if (!hooks) {
        throw new OutboxError(
          'DB_OUTBOX_TRANSACTION',
          'emit belongs into the transaction of the data it tells of',
        )
      }
      if (list.length === 0) return
      await insertEvents(sql(), list)
      announceAtCommit(hooks)
    },
    consumer(consumerOptions) {
      const consumer = createConsumer(consumerOptions, {
        sql,
        inTransaction: () => attached().hooks() !== undefined,
        events,
        settler,
        wake,
        listen: notifications.listen,
        upcasters,
        jobs: source,
        maintain,
        onClosed: () => void parts.delete(consumer),
      })
      parts.add(consumer)
      return consumer
    },
    once: ({ scope, id }, fn) =>
      sql().transaction(async (tx) => {
        const noted = await tx.query(
          'INSERT INTO orgdb.outbox_inbox (scope, id) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING id',
          [scope, id],
        )
        if (noted.length === 0) return { isNew: false }
        return { isNew: true, value: await fn() }
      }),
    triggerSql: () => triggerSql(byTrigger()),
    async installTriggers() {
      const text = triggerSql(byTrigger())
      if (text !== '') await sql().transaction((tx) => tx.query(text))
    },
    async removeTriggers(names) {
      const list = names.map((name) => ({ rows: source.rows(name), by: 'trigger', before: false }) as const)
      if (list.length > 0) await sql().query(dropTriggerSql(list))
    },
    maintain,
    outboxEvents: events,
    '~inside': {
      host: attached,
      captured: () => [...captured.values()],
      events,
      announce: notifications.announce,
      parts,
    },
    close,
    ...createOperator(sql, settler, source),
  }
}

function batchRefused({ model, action }: Operation): OutboxError {
  return new OutboxError(
    'DB_OUTBOX_UNSEEN_WRITE',
    `${model}.${action} in a batch can't be captured by the client: use db.transaction, or capture ${model} by trigger`,
  )
}
