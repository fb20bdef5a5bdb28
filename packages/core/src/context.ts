import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Who asks, on whose behalf and until when. It flows through `await`s by AsyncLocalStorage and belongs to a
 * call from the moment the call is made, not from the moment its promise is awaited.
 */
export interface DbContext {
  /** The tenant whose rows the work may see. */
  readonly tenant?: string
  /** The user or service that acts, as the audit trail should name it. */
  readonly actor?: string
  /** Correlates the work with one request in logs and traces. */
  readonly requestId?: string
  /** When the work is worthless: epoch milliseconds. */
  readonly deadlineAt?: number
  /** Ends the work early. */
  readonly signal?: AbortSignal
}

/** What `runInContext` takes: a context, with the deadline as a duration if that is what is known. */
export interface ContextOptions extends DbContext {
  /** Sets `deadlineAt` to so many milliseconds from now; an earlier deadline of the outer context stays. */
  readonly deadlineMs?: number
}

const empty: DbContext = Object.freeze({})
const storageKey = Symbol.for('@org/db-core/context')
const sessionsKey = Symbol.for('@org/db-core/sessions')
// Two copies of this package in one process must share one context, or a tenant would get lost between them.
const registry = globalThis as {
  [storageKey]?: AsyncLocalStorage<DbContext>
  [sessionsKey]?: WeakMap<DbContext, object>
}
registry[storageKey] ??= new AsyncLocalStorage<DbContext>()
const storage: AsyncLocalStorage<DbContext> = registry[storageKey]
registry[sessionsKey] ??= new WeakMap<DbContext, object>()
const sessions: WeakMap<DbContext, object> = registry[sessionsKey]

/** The context of the running code; an empty object outside every `runInContext`. */
export function currentContext(): DbContext {
  return storage.getStore() ?? empty
}

/**
 * Runs `fn` in the current context extended by `options` and returns what it returns.
 * A deadline only ever shrinks: the earlier of the outer and the new one holds. Likewise the outer `signal`
 * keeps its effect beside a new one.
 * @throws TypeError for a deadline that is no number
 */
export function runInContext<T>(options: ContextOptions, fn: () => T): T {
  const outer = currentContext()
  const { deadlineMs, ...given } = options
  for (const [name, value] of Object.entries({ deadlineMs, deadlineAt: given.deadlineAt })) {
    if (value !== undefined && !Number.isFinite(value)) throw new TypeError(`${name} must be a finite number`)
  }
  const deadlines = [
    outer.deadlineAt,
    given.deadlineAt,
    deadlineMs === undefined ? undefined : Date.now() + deadlineMs,
  ].filter((at) => at !== undefined)
  const signals = [outer.signal, given.signal].filter((signal) => signal !== undefined)
  const context: DbContext = {
    ...outer,
    ...given,
    ...(deadlines.length > 0 && { deadlineAt: Math.min(...deadlines) }),
    ...(signals.length > 1 && { signal: joinSignals(signals) }),
  }
  sessions.set(context, sessions.get(outer) ?? {})
  return storage.run(Object.freeze(context), fn)
}

/**
 * Node's joined signals don't keep alive what they are made of, so that an `AbortSignal.timeout()` which nobody
 * else holds would be collected and never fire: https://github.com/nodejs/node/issues/57736
 */
const sources = new WeakMap<AbortSignal, readonly AbortSignal[]>()

function joinSignals(signals: readonly AbortSignal[]): AbortSignal {
  const joined = AbortSignal.any([...signals])
  sources.set(joined, signals)
  return joined
}

/** What all contexts inside one outermost `runInContext` share; core keeps by it what they have written. */
export function sessionOf(context: DbContext): object | undefined {
  return sessions.get(context)
}

/** Runs `fn` in exactly `context`: what a library needs that captured a context and returns to it later. */
export function restoreContext<T>(context: DbContext, fn: () => T): T {
  const current = currentContext()
  if (current === context) return fn()
  // A context that was derived by hand belongs to the session that it was derived in.
  const session = sessions.get(current)
  if (session && context !== empty && !sessions.has(context)) sessions.set(context, session)
  return storage.run(context, fn)
}

/** Runs `fn` in the current context with one more signal that can end it early. */
export function withSignal<T>(signal: AbortSignal | undefined, fn: () => T): T {
  if (!signal) return fn()
  const outer = currentContext()
  const joined = outer.signal && outer.signal !== signal ? joinSignals([outer.signal, signal]) : signal
  return restoreContext(Object.freeze({ ...outer, signal: joined }), fn)
}
