import type { StoredError } from './errors.ts'

/**
 * One thing that has happened. Entries are only ever added, and folding the same one twice changes nothing, so that a
 * write whose answer got lost can be sent again.
 */
export interface Entry {
  /**
   * `start`: a step is about to be called. `done`. `failed`: it has not happened. `unknown`: given up, it may have
   * happened. `retry`: it will be tried again. `wait`: a timer or a wait for a signal began. `skip`: an operator gave the
   * result. `again`: an operator lets it be tried anew. `abort`: from here on it is undone. `undone`, `stuck`: a
   * compensation's end.
   */
  readonly k:
    | 'start'
    | 'done'
    | 'failed'
    | 'unknown'
    | 'retry'
    | 'wait'
    | 'skip'
    | 'again'
    | 'abort'
    | 'undone'
    | 'stuck'
  /** The step; empty for the saga as a whole. */
  readonly n: string
  /** Epoch milliseconds, by the process that wrote it. */
  readonly t: number
  /** What came of it. */
  readonly o?: unknown
  readonly e?: StoredError
  /** How many attempts there were. */
  readonly a?: number
  /** Until when it waits, epoch milliseconds. */
  readonly u?: number
  /** The saga in whose name it was done, where that is not this one: a fork's origin. */
  readonly i?: string
  /** The name under which it was done, where a migration has given it another one. */
  readonly r?: string
  /** 1 where there is no way back from here on. */
  readonly p?: 1
}

/** What the journal says about one step. */
export interface StepRecord {
  readonly name: string
  state: 'started' | 'done' | 'failed' | 'unknown' | 'waiting'
  isSkipped: boolean
  output: unknown
  error: StoredError | undefined
  attempts: number
  until: number | undefined
  /** Of its key, where that is not made of the saga's id and the step's name. */
  origin: { readonly saga: string | undefined; readonly step: string | undefined }
  /** Positions in the journal: what ended before another began was before it. */
  startedAt: number
  endedAt: number
  compensation: 'none' | 'done' | 'stuck'
  compensationError: StoredError | undefined
}

/** The journal, folded. */
export interface Record {
  readonly steps: Map<string, StepRecord>
  count: number
  isPivoted: boolean
  /** Why it is undone, once that is decided. */
  abort: StoredError | undefined
}

export function emptyRecord(): Record {
  return { steps: new Map(), count: 0, isPivoted: false, abort: undefined }
}

/** Adds entries to what is known. */
export function fold(record: Record, entries: readonly Entry[]): Record {
  for (const entry of entries) foldOne(record, entry)
  return record
}

function foldOne(record: Record, entry: Entry): void {
  record.count += 1
  if (entry.k === 'abort') {
    record.abort = entry.e
    return
  }
  const step = stepOf(record, entry)
  switch (entry.k) {
    case 'start':
      step.state = 'started'
      step.compensation = 'none'
      break
    case 'again':
      step.state = 'started'
      step.attempts = 0
      step.compensation = 'none'
      // What it does now comes after all that has happened since it failed.
      step.startedAt = record.count
      step.endedAt = Number.POSITIVE_INFINITY
      break
    case 'retry':
      step.state = 'started'
      step.attempts = entry.a ?? step.attempts
      step.error = entry.e
      step.until = entry.u
      break
    case 'wait':
      step.state = 'waiting'
      step.until = entry.u
      break
    case 'done':
    case 'skip':
      step.state = 'done'
      step.isSkipped = entry.k === 'skip'
      step.output = entry.o
      step.endedAt = Math.min(step.endedAt, record.count)
      if (entry.p) record.isPivoted = true
      break
    case 'failed':
    case 'unknown':
      step.state = entry.k
      step.error = entry.e
      step.endedAt = Math.min(step.endedAt, record.count)
      break
    case 'undone':
      step.compensation = 'done'
      break
    case 'stuck':
      step.compensation = 'stuck'
      step.compensationError = entry.e
      break
  }
}

function stepOf(record: Record, { n, i, r }: Entry): StepRecord {
  const known = record.steps.get(n)
  if (known) return known
  const step: StepRecord = {
    name: n,
    state: 'started',
    isSkipped: false,
    output: undefined,
    error: undefined,
    attempts: 0,
    until: undefined,
    origin: { saga: i, step: r },
    startedAt: record.count,
    endedAt: Number.POSITIVE_INFINITY,
    compensation: 'none',
    compensationError: undefined,
  }
  record.steps.set(n, step)
  return step
}
