import { createHash } from 'node:crypto'
import type { PoolMode } from '../config.ts'
import type { DatabasePool } from './pool.ts'

/** How often a statement has to come until it is worth a name. */
const enough = 3
/** Most statements with a name: each connection keeps all of them until it closes. */
const mostNames = 250
/** Most statements that are counted at a time. */
const mostCounted = 2_000
/** Lists of values have a text of their own for each length. */
const mostParameters = 60

/** What the server says of a named statement that it has forgotten or has twice. */
const unknown: ReadonlySet<unknown> = new Set(['26000', '42P05'])

/**
 * Names for the statements that Prisma sends again and again, under which connections keep them prepared, so that the
 * server need not read and plan them anew: for a query over several tables that is most of its work.
 * https://www.postgresql.org/docs/current/sql-prepare.html
 */
export class StatementNames {
  readonly #keeps: () => boolean
  readonly #names = new Map<string, string>()
  readonly #counts = new Map<string, number>()
  #version = 0

  /** `keeps`: whether connections are known to keep statements, as they don't behind a pooler of transactions. */
  constructor(keeps: () => boolean) {
    this.#keeps = keeps
  }

  /** Empty for a statement without a name. */
  nameOf({ sql, args }: { readonly sql: string; readonly args: readonly unknown[] }): string {
    // Without values it may be several statements in one text.
    if (args.length === 0 || args.length > mostParameters || !this.#keeps()) return ''
    const known = this.#names.get(sql)
    if (known !== undefined) return known
    if (this.#names.size >= mostNames) return ''
    const count = (this.#counts.get(sql) ?? 0) + 1
    if (count < enough) {
      if (this.#counts.size >= mostCounted) this.#counts.clear()
      this.#counts.set(sql, count)
      return ''
    }
    this.#counts.delete(sql)
    const hash = createHash('sha256').update(sql).digest('base64url').slice(0, 16)
    const name = `orm_${hash}_${this.#version}`
    this.#names.set(sql, name)
    return name
  }

  /**
   * Whether the statement failed for its name: the server has forgotten it, or its columns have another type now. That
   * is found out before anything is carried out, so it may be sent again, from now on under another name.
   */
  failed(
    { sql, args }: { readonly sql: string; readonly args: readonly unknown[] },
    error: unknown,
  ): boolean {
    if (args.length === 0 || !isStale(error)) return false
    // Of many that fail at once the first has taken the name away, and all are sent again.
    if (this.#names.delete(sql)) this.#version += 1
    return true
  }
}

/** Whether a name lasts: it does on a connection to PostgreSQL itself or to a session of it. */
export function keepsStatements(pool: DatabasePool, mode: PoolMode | 'detect'): boolean {
  return mode === 'detect' ? pool.keepsStatements === true : mode !== 'transaction'
}

/** By the shape of the adapter's errors. */
function isStale(error: unknown): boolean {
  const { originalCode, originalMessage } = ((error as { cause?: unknown }).cause ?? {}) as {
    readonly originalCode?: unknown
    readonly originalMessage?: unknown
  }
  if (unknown.has(originalCode)) return true
  return originalCode === '0A000' && String(originalMessage).includes('cached plan')
}
