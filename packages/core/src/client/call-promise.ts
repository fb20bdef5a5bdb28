import type { Ambient, CallSite } from './ambient.ts'

/** A call that has been made and not been started. */
interface Call {
  readonly promise: object
  readonly site: CallSite
  readonly ambient: Ambient
  started: boolean
}

/**
 * Prisma's promises start when they are awaited, in whatever context that happens. This one starts in the
 * transaction and context of the call that made it. It stays a Prisma promise: `$transaction([…])` takes it,
 * and relations can be followed (`findUnique(…).items()`).
 */
export function bindToCall<T extends object>(promise: T, site: CallSite, ambient: Ambient): T {
  const call: Call = { promise, site, ambient, started: false }
  if (site.scope) site.scope.unstarted += 1
  return new Proxy(call, handler) as unknown as T
}

/** Whether a value is one of Prisma's lazy promises. */
export function isPrismaPromise(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && Reflect.get(value, Symbol.toStringTag) === 'PrismaPromise'
  )
}

/** One handler for all: a closure per call would cost more than the rest of this file. */
const handler: ProxyHandler<Call> = {
  get(call, property) {
    switch (property) {
      case 'then':
        return (onFulfilled: never, onRejected: never) => start(call).then(onFulfilled, onRejected)
      case 'catch':
        return (onRejected: never) => start(call).catch(onRejected)
      case 'finally':
        return (onFinally: never) => start(call).finally(onFinally)
      default:
        return other(call, property)
    }
  },
  has: ({ promise }, property) => Reflect.has(promise, property),
}

/** The callbacks of `then` belong to the caller's context, so they are attached outside of the call's. */
function start(call: Call): Promise<unknown> {
  const { promise, ambient } = call
  markStarted(call)
  return ambient.restore(placeOf(call), () => (promise as PromiseLike<unknown>).then() as Promise<unknown>)
}

/** A call that is started inside a savepoint, where it can't have been awaited before, shares its fate. */
function placeOf({ site, ambient }: Call): CallSite {
  const here = site.scope && ambient.scope()
  return here && site.scope && here.isWithin(site.scope) ? { ...site, scope: here } : site
}

function markStarted(call: Call): void {
  if (call.started) return
  call.started = true
  if (call.site.scope) call.site.scope.unstarted -= 1
}

function other(call: Call, property: PropertyKey): unknown {
  const { promise, site, ambient } = call
  const value: unknown = Reflect.get(promise, property, promise)
  if (typeof value !== 'function') return value
  return (...args: readonly unknown[]) => {
    // A batch starts it, or a relation is followed and stands for it.
    markStarted(call)
    const result: unknown = ambient.restore(placeOf(call), () => Reflect.apply(value, promise, args))
    const followed = property !== 'requestTransaction' && isPrismaPromise(result)
    return followed ? bindToCall(result, site, ambient) : result
  }
}
