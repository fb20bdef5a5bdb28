import { currentContext, type DbContext, sessionOf } from '../../context.ts'
import type { Outcome } from '../../database-error.ts'
import { fromToken, type Lsn, toToken } from './lsn.ts'

/** What a read has to see: nothing special, all up to a position, or so much that only the primary will do. */
export type Requirement = undefined | Lsn | 'primary'

/** Remembers what a context has written, so that its reads see it wherever they go. */
export interface Consistency {
  /** A write of the current context begins; the function that is returned is called at its end. */
  begin(): (error?: unknown) => void
  track<T>(work: () => Promise<T>): Promise<T>
  /** Never waits: while a position is not known yet, it is asked for and the primary serves. */
  required(context: DbContext): Requirement
  /** The current context shall see what the token stands for. @throws DatabaseError DB_VALIDATION */
  see(token: string): void
  token(): Promise<string | undefined>
}

/** What one session, or everybody outside of `db.run`, has written. */
interface Mark {
  writing: number
  /** Counts writes that have ended. */
  ended: number
  /** The writes up to this one are covered by `lsn`. */
  covered: number
  lsn: Lsn | undefined
  /** A write with an unknown outcome may still be carried out until then. */
  unknownUntil: number
}

/** What is needed to remember writes. */
export interface ConsistencyOptions {
  /** The primary's position; the answer is no older than the call. */
  readonly position: () => Promise<Lsn>
  /** How long the server may still work on a statement whose connection is gone. */
  readonly settleMs: number
}

/**
 * Read-your-writes by position in the log: after a write the primary's position is asked for once, and a replica
 * that has replayed it can serve. Writes outside of every `db.run` count for everybody, since nothing says who
 * reads on their behalf.
 */
export function createConsistency({ position, settleMs }: ConsistencyOptions): Consistency {
  const marks = new WeakMap<object, Mark>()
  const everybody = newMark()

  function markOf(context: DbContext): Mark {
    const session = sessionOf(context)
    if (!session) return everybody
    const known = marks.get(session)
    if (known) return known
    const mark = newMark()
    marks.set(session, mark)
    return mark
  }

  function requiredBy(mark: Mark): Requirement {
    if (mark.writing > 0) return 'primary'
    if (mark.covered === mark.ended) return mark.lsn
    if (mark.unknownUntil <= Date.now()) {
      // The next read will know; a failure leaves the mark as it is, and the read after this one asks again.
      cover(mark).catch(() => undefined)
    }
    return 'primary'
  }

  async function cover(mark: Mark): Promise<void> {
    const { ended } = mark
    const lsn = await position()
    raise(mark, lsn)
    // Writes that ended meanwhile may have committed behind this position.
    mark.covered = Math.max(mark.covered, ended)
  }

  function begin(): (error?: unknown) => void {
    const mark = markOf(currentContext())
    mark.writing += 1
    return (error) => {
      mark.writing -= 1
      const outcome = (error as { readonly outcome?: Outcome } | undefined)?.outcome
      if (outcome === 'not-sent') return
      if (outcome === 'unknown') mark.unknownUntil = Date.now() + settleMs
      mark.ended += 1
    }
  }

  return {
    begin,
    async track(work) {
      const end = begin()
      try {
        const result = await work()
        end()
        return result
      } catch (error) {
        end(error)
        throw error
      }
    },
    required(context) {
      const session = sessionOf(context)
      const own = session && marks.get(session)
      const common = requiredBy(everybody)
      return own ? stronger(requiredBy(own), common) : common
    },
    see(token) {
      raise(markOf(currentContext()), fromToken(token))
    },
    async token() {
      const mark = markOf(currentContext())
      const { unknownUntil } = mark
      if (mark.covered !== mark.ended || mark.writing > 0) {
        // While an outcome is unknown no position is certain to cover it.
        if (unknownUntil > Date.now()) raise(mark, await position())
        else await cover(mark)
      }
      return mark.lsn === undefined ? undefined : toToken(mark.lsn)
    },
  }
}

function newMark(): Mark {
  return { writing: 0, ended: 0, covered: 0, lsn: undefined, unknownUntil: 0 }
}

function raise(mark: Mark, lsn: Lsn): void {
  if (mark.lsn === undefined || mark.lsn < lsn) mark.lsn = lsn
}

function stronger(one: Requirement, other: Requirement): Requirement {
  if (one === 'primary' || other === 'primary') return 'primary'
  if (one === undefined || other === undefined) return one ?? other
  return one > other ? one : other
}
