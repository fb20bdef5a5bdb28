import { createEvents } from '@org/db-core'
import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import { createOperator } from './create-operator.ts'
import { OutboxError } from './errors.ts'
import type { OutboxEvents } from './events.ts'
import type { Operator } from './operator.ts'
import { createSettler } from './settler.ts'

type Run = (operator: Operator, call: CommandCall) => Promise<CommandAnswer>

/** An operator on the command's own connection. */
const withOperator =
  (run: Run) =>
  async (call: CommandCall): Promise<CommandAnswer> => {
    const sql = await call.sql()
    const settler = createSettler(() => sql, createEvents<OutboxEvents>())
    const operator = createOperator(() => sql, settler, {
      rows: () => {
        throw new OutboxError(
          'DB_OUTBOX_METADATA',
          'A backfill is begun by the application, which has the models',
        )
      },
    })
    return run(operator, call)
  }

const consumerOf = (call: CommandCall): string => call.arguments.CONSUMER ?? ''

const texts = (call: CommandCall, name: string): readonly string[] | undefined => {
  const value = call.options[name]
  return Array.isArray(value) ? (value as readonly string[]) : undefined
}

/** `orgdb outbox status|dead|redrive|replay`: what an operator sees and does. `orgdb` finds it by itself. */
export const commands: CommandGroup = {
  name: 'outbox',
  description: 'the change feed: status, dead events, redrive, replay',
  commands: [
    {
      name: 'status',
      description: 'the feed and its consumers: how far, how far behind, what is dead',
      run: withOperator(async (operator) => {
        const status = await operator.status()
        const rows = status.consumers.map((each) => [
          each.isPaused ? 'paused' : each.deadEvents > 0 ? 'dead' : 'ok',
          each.name,
          `${each.position} of ${status.last}`,
          `${each.lagEvents} behind`,
          `${each.lagSeconds.toFixed(1)} s`,
          `${each.members} processes`,
          `${each.parkedEvents} parked, ${each.deadEvents} dead`,
        ])
        const total = `${status.settled} of ${status.last} can be delivered`
        return {
          text: [...rows, ['', 'the feed', total]],
          json: status,
          exitCode: status.consumers.some(({ deadEvents, isPaused }) => deadEvents > 0 || isPaused) ? 2 : 0,
        }
      }),
    },
    {
      name: 'dead',
      description: 'the events that a consumer has given up; payloads with --json only',
      arguments: ['CONSUMER'],
      options: { limit: { type: 'number', description: 'at most so many; default 100' } },
      run: withOperator(async (operator, call) => {
        const { limit } = call.options
        const events = await operator.deadLetters(
          consumerOf(call),
          typeof limit === 'number' ? { limit } : {},
        )
        const rows = events.map(({ seq, topic, key, attempts, at, reason }) => [
          String(seq),
          topic,
          key,
          `${attempts} attempts`,
          at.toISOString(),
          reason,
        ])
        return {
          text: rows.length === 0 ? 'No event is dead' : rows,
          json: { events },
          exitCode: rows.length === 0 ? 0 : 2,
        }
      }),
    },
    {
      name: 'redrive',
      description: 'let dead events be tried again',
      arguments: ['CONSUMER'],
      options: {
        key: { type: 'string', multiple: true, description: 'those of this key' },
        seq: { type: 'number', multiple: true, description: 'the one of this number' },
      },
      run: withOperator(async (operator, call) => {
        const [keys, seqs] = [texts(call, 'key'), call.options.seq as readonly number[] | undefined]
        const count = await operator.redrive(consumerOf(call), {
          ...(keys && { keys }),
          ...(seqs && { seqs }),
        })
        return { text: `${count} will be tried again`, json: { redriven: count } }
      }),
    },
    {
      name: 'replay',
      description: 'deliver again what is kept; all of it unless it is told from where or of what',
      arguments: ['CONSUMER'],
      options: {
        from: { type: 'string', description: 'after this number, or from this time on' },
        'up-to': { type: 'number', description: 'up to this number' },
        topic: { type: 'string', multiple: true, description: 'this topic only' },
        key: { type: 'string', multiple: true, description: 'this key only' },
      },
      run: withOperator(async (operator, call) => {
        const { from, 'up-to': upTo } = call.options
        const [topics, keys] = [texts(call, 'topic'), texts(call, 'key')]
        const job = await operator.replay(consumerOf(call), {
          ...(typeof from === 'string' && { from: pointOf(from) }),
          ...(typeof upTo === 'number' && { upTo }),
          ...(topics && { topics }),
          ...(keys && { keys }),
        })
        return {
          text:
            job === undefined ? 'the consumer goes back' : `job ${job} delivers them beside the live events`,
          json: { job: job ?? null },
        }
      }),
    },
  ],
}

function pointOf(text: string): number | Date {
  if (/^\d+$/.test(text)) return Number(text)
  const date = new Date(text)
  if (!Number.isNaN(date.getTime())) return date
  throw new OutboxError('DB_OUTBOX_OPTIONS', '--from is neither a number nor a time')
}
