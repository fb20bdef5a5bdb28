import type { Ambient, CallSite } from './ambient.ts'

/** The slice of Prisma's lazy promise that is relied on. */
export interface PrismaPromiseLike {
  then(onFulfilled?: unknown, onRejected?: unknown): Promise<unknown>
  readonly requestTransaction?: (...args: readonly unknown[]) => unknown
}

/**
 * Prisma's promises start when they are awaited, in whatever context that happens. This one starts in the
 * transaction and context of the call that made it. It stays a Prisma promise: `$transaction([…])` takes it,
 * and relations can be followed (`findUnique(…).items()`).
 */
export function bindToCall<T extends object>(promise: T, site: CallSite, ambient: Ambient): T {
  return new Proxy(promise, {
    get(target, property) {
      switch (property) {
        case 'then':
          return (onFulfilled: never, onRejected: never) => start(target).then(onFulfilled, onRejected)
        case 'catch':
          return (onRejected: never) => start(target).catch(onRejected)
        case 'finally':
          return (onFinally: never) => start(target).finally(onFinally)
      }
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      return (...args: readonly unknown[]) => {
        const result: unknown = ambient.restore(site, () => Reflect.apply(value, target, args))
        return property !== 'requestTransaction' && isPrismaPromise(result)
          ? bindToCall(result, site, ambient)
          : result
      }
    },
  })

  // The callbacks of `then` belong to the caller's context, so they are attached outside of the call's.
  function start(target: object): Promise<unknown> {
    return ambient.restore(site, () => (target as PrismaPromiseLike).then())
  }
}

/** Whether a value is one of Prisma's lazy promises. */
export function isPrismaPromise(value: unknown): value is object {
  return (
    typeof value === 'object' && value !== null && Reflect.get(value, Symbol.toStringTag) === 'PrismaPromise'
  )
}
