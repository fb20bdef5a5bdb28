import { SagaError } from './errors.ts'

/** When it is time: the values of each field. */
export interface Cron {
  readonly minutes: ReadonlySet<number>
  readonly hours: ReadonlySet<number>
  readonly days: ReadonlySet<number>
  readonly months: ReadonlySet<number>
  readonly weekdays: ReadonlySet<number>
  /** Where both days and weekdays are given, either of them is enough. */
  readonly isEither: boolean
}

const fields = [
  { name: 'minute', from: 0, to: 59 },
  { name: 'hour', from: 0, to: 23 },
  { name: 'day', from: 1, to: 31 },
  { name: 'month', from: 1, to: 12 },
  { name: 'weekday', from: 0, to: 7 },
] as const

/** Reads five fields with lists, ranges and steps. @throws SagaError DB_SAGA_OPTIONS */
export function parseCron(text: string): Cron {
  const parts = text.trim().split(/\s+/u)
  if (parts.length !== fields.length) throw wrong(text)
  const [minutes, hours, days, months, weekdays] = fields.map(({ from, to }, at) =>
    valuesOf(parts[at] ?? '', from, to, text),
  )
  const all = { minutes, hours, days, months, weekdays: new Set([...(weekdays ?? [])].map((day) => day % 7)) }
  return { ...(all as Omit<Cron, 'isEither'>), isEither: parts[2] !== '*' && parts[4] !== '*' }
}

function valuesOf(part: string, from: number, to: number, text: string): ReadonlySet<number> {
  const values = part.split(',').flatMap((piece) => {
    const found = /^(?:\*|(\d+)(?:-(\d+))?)(?:\/(\d+))?$/u.exec(piece)
    if (!found) throw wrong(text)
    const [, first, last, step] = found
    const start = first === undefined ? from : Number(first)
    const end = last !== undefined ? Number(last) : first === undefined || step !== undefined ? to : start
    const by = Number(step ?? 1)
    if (start < from || end > to || end < start || by < 1) throw wrong(text)
    return Array.from({ length: Math.floor((end - start) / by) + 1 }, (_, at) => start + at * by)
  })
  return new Set(values)
}

const minuteMs = 60_000
/** Leap days come at least once in eight years. */
const searchMs = 8 * 366 * 24 * 60 * minuteMs

/** The first time after `after`, epoch milliseconds; infinity if there is none. */
export function nextCron(cron: Cron, after: number): number {
  let at = (Math.floor(after / minuteMs) + 1) * minuteMs
  for (const end = after + searchMs; at < end; ) {
    const date = new Date(at)
    if (!cron.months.has(date.getUTCMonth() + 1)) at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1)
    else if (!isDay(cron, date))
      at = Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), date.getUTCDate() + 1)
    else if (!cron.hours.has(date.getUTCHours())) at = (Math.floor(at / 3_600_000) + 1) * 3_600_000
    else if (!cron.minutes.has(date.getUTCMinutes())) at += minuteMs
    else return at
  }
  return Number.POSITIVE_INFINITY
}

function isDay({ days, weekdays, isEither }: Cron, date: Date): boolean {
  const isDate = days.has(date.getUTCDate())
  const isWeekday = weekdays.has(date.getUTCDay())
  return isEither ? isDate || isWeekday : isDate && isWeekday
}

function wrong(text: string): SagaError {
  return new SagaError('DB_SAGA_OPTIONS', `Not a schedule of five fields: ${text}`)
}
