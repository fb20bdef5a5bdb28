import type { Ambient, CallSite } from '../ambient.ts'
import { bindToCall, isPrismaPromise } from '../call-promise.ts'

/** Decides where a read goes. */
export interface Route {
  /** Runs `start` with the client that serves a call made at `site`, and counts it until it ends. */
  send(site: CallSite, action: string, start: (client: object) => Promise<unknown>): Promise<unknown>
  /** Whether there is no way to the primary. */
  readonly replicaOnly: boolean
}

/** A read that has been made and is sent somewhere when it is awaited. */
interface RoutedCall {
  /** Makes Prisma's promise of the call on one server's client. */
  readonly make: (client: object) => object
  readonly primary: object
  readonly action: string
  readonly site: CallSite
  readonly ambient: Ambient
  readonly route: Route
  started: Promise<unknown> | undefined
}

/**
 * A read that chooses its server when it starts, as Prisma's promises start when they are awaited: what was written
 * between call and `await` is seen. It is a Prisma promise to everybody else: in a batch it goes to the primary, and
 * relations can be followed (`findUnique(…).items()`).
 */
export function routedCall(call: Omit<RoutedCall, 'started'>): object {
  return new Proxy<RoutedCall>({ ...call, started: undefined }, handler)
}

const handler: ProxyHandler<RoutedCall> = {
  get(call, property) {
    switch (property) {
      case 'then':
        return (onFulfilled: never, onRejected: never) => start(call).then(onFulfilled, onRejected)
      case 'catch':
        return (onRejected: never) => start(call).catch(onRejected)
      case 'finally':
        return (onFinally: never) => start(call).finally(onFinally)
      case Symbol.toStringTag:
        return 'PrismaPromise'
      default:
        return other(call, property)
    }
  },
  has: (call, property) => Reflect.has(onPrimary(call), property),
}

function start(call: RoutedCall): Promise<unknown> {
  const { make, action, site, ambient, route } = call
  call.started ??= route.send(site, action, (client) =>
    ambient.restore(site, () => (make(client) as PromiseLike<unknown>).then() as Promise<unknown>),
  )
  return call.started
}

/** The batch that asks is a transaction of the primary. */
function onPrimary({ make, primary, site, ambient }: RoutedCall): object {
  return bindToCall(make(primary), site, ambient)
}

function other(call: RoutedCall, property: PropertyKey): unknown {
  const promise = onPrimary(call)
  const value: unknown = Reflect.get(promise, property)
  if (typeof value !== 'function' || property === 'requestTransaction') return value
  return (...args: readonly unknown[]) => {
    const follow = (client: object): object => {
      const made = call.make(client)
      return Reflect.apply(Reflect.get(made, property) as () => object, made, args)
    }
    const result: unknown = Reflect.apply(value, promise, args)
    return isPrismaPromise(result) ? routedCall({ ...call, make: follow }) : result
  }
}
