import { nextCron, parseCron } from './cron.ts'
import type { SagaDefinition } from './definition.ts'
import type { Definitions } from './definitions.ts'
import { SagaError } from './errors.ts'
import type { Starter } from './start.ts'

/** A saga that is started again and again. */
export interface Schedule<Input = unknown> {
  /** Names it; the sagas are `name@time`, so that no time is started twice, by however many processes. */
  readonly name: string
  readonly saga: SagaDefinition<Input, unknown>
  /** `{ everyMs }`, counted from the Unix epoch, or `{ cron }`: minute, hour, day, month, weekday, in UTC. */
  readonly at: { readonly everyMs: number } | { readonly cron: string }
  /** What it is started with. Default: nothing. */
  readonly input?: NoInfer<Input>
}

/**
 * Each process stores the saga of the next time ahead. It runs late if nobody lives at that time; times beyond that one
 * are left out.
 */
export interface Schedules {
  /** Sees to it that the next time of each schedule is stored. */
  tick(): Promise<void>
}

export interface SchedulesAround {
  readonly start: Starter
  readonly definitions: Definitions
  readonly now: () => number
}

/** A year. */
const longestMs = 366 * 24 * 3_600_000

/** @throws SagaError DB_SAGA_OPTIONS */
export function createSchedules(
  schedules: readonly Schedule[],
  { start, definitions, now }: SchedulesAround,
): Schedules {
  for (const [at, { name, saga }] of schedules.entries()) {
    if (schedules.findIndex((each) => each.name === name) !== at)
      throw wrong(`Schedule ${name} is there twice`)
    if (definitions.get(saga.name, saga.version) !== saga)
      throw wrong(`The saga of schedule ${name} is none of the definitions`)
  }
  const next = schedules.map(({ at, name }): ((after: number) => number) => {
    if ('cron' in at) {
      const cron = parseCron(at.cron)
      return (after) => nextCron(cron, after)
    }
    const { everyMs } = at
    if (!(everyMs >= 1 && everyMs <= longestMs))
      throw wrong(`everyMs of schedule ${name} must be from 1 to ${longestMs}`)
    return (after) => (Math.floor(after / everyMs) + 1) * everyMs
  })
  const stored = new Map<string, number>()
  return {
    async tick() {
      for (const [index, { name, saga, input }] of schedules.entries()) {
        const at = next[index]?.(now()) ?? Number.POSITIVE_INFINITY
        if (!Number.isFinite(at) || stored.get(name) === at) continue
        const delay = new Date(at)
        const id = `${name}@${delay.toISOString()}`
        await start({ definition: saga, input: input ?? null, id, options: { delay } })
        stored.set(name, at)
      }
    },
  }
}

function wrong(message: string): SagaError {
  return new SagaError('DB_SAGA_OPTIONS', message)
}
