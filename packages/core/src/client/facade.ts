import { classify } from '../classify.ts'
import { DatabaseError } from '../database-error.ts'
import type { Ambient } from './ambient.ts'
import { bindToCall, isPrismaPromise } from './call-promise.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { RunTransaction } from './transactions.ts'

/** What the facade needs around it. */
export interface FacadeOptions {
  readonly ambient: Ambient
  readonly lifecycle: Lifecycle
  readonly transaction: RunTransaction
  readonly close: () => Promise<void>
  readonly connect: () => Promise<void>
}

/** Prisma's options of an interactive transaction. */
interface PrismaTransactionOptions {
  readonly maxWait?: number
  readonly timeout?: number
  readonly isolationLevel?: never
}

/**
 * The client as users see it: each call goes to the client of the ambient transaction, if there is one, and
 * belongs to the context in which it was made. Nothing of Prisma is overridden by extensions, because an
 * overridden `$transaction` hands out clients without any.
 */
export function createFacade<Client extends object>(client: Client, options: FacadeOptions): Client {
  const { ambient } = options
  const cache = new Map<PropertyKey, unknown>()

  const own: Readonly<Record<string, unknown>> = {
    $connect: options.connect,
    $disconnect: options.close,
    $transaction: (work: unknown, given: PrismaTransactionOptions = {}) =>
      transact(client, work, given, options),
    $extends: () => {
      throw new DatabaseError(
        'DB_VALIDATION',
        'Extend the client inside the option `client`: transactions would not see an extension made later',
        { outcome: 'not-sent' },
      )
    },
  }

  function read(property: PropertyKey): unknown {
    if (typeof property === 'string' && Object.hasOwn(own, property)) return own[property]
    const value: unknown = Reflect.get(client, property, client)
    if (typeof value === 'function')
      return boundMethod(() => ambient.scope()?.client ?? client, property, ambient)
    return isDelegate(value) ? delegateFacade(property, value, ambient) : value
  }

  return new Proxy(client, {
    get(_target, property) {
      if (cache.has(property)) return cache.get(property)
      const value = read(property)
      if (typeof value === 'object' || typeof value === 'function') cache.set(property, value)
      return value
    },
  })
}

function delegateFacade(model: PropertyKey, base: object, ambient: Ambient): object {
  const cache = new Map<PropertyKey, unknown>()
  const current = (): object => {
    const inner = ambient.scope()?.client
    return inner === undefined ? base : (Reflect.get(inner, model, inner) as object)
  }
  return new Proxy(base, {
    get(target, property) {
      const known = cache.get(property)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      const method = boundMethod(current, property, ambient)
      cache.set(property, method)
      return method
    },
  })
}

function boundMethod(
  on: () => object,
  property: PropertyKey,
  ambient: Ambient,
): (...args: readonly unknown[]) => unknown {
  return (...args) => {
    const target = on()
    const result: unknown = Reflect.apply(
      Reflect.get(target, property, target) as () => unknown,
      target,
      args,
    )
    return isPrismaPromise(result) ? bindToCall(result, ambient.capture(), ambient) : result
  }
}

/** Prisma's two forms of `$transaction`, with what ours adds: ambient, strict, counted, classified. */
function transact(
  client: object,
  work: unknown,
  given: PrismaTransactionOptions,
  { ambient, lifecycle, transaction }: FacadeOptions,
): Promise<unknown> {
  const { maxWait, timeout, isolationLevel } = given
  if (typeof work === 'function') {
    return transaction((scope) => Reflect.apply(work, undefined, [scope.client]) as Promise<unknown>, {
      ...(maxWait !== undefined && { maxWaitMs: maxWait }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
      ...(isolationLevel !== undefined && { isolationLevel }),
    })
  }
  const scope = ambient.scope()
  const on = scope?.client ?? client
  const run = (): Promise<unknown> =>
    Reflect.apply(Reflect.get(on, '$transaction') as () => Promise<unknown>, on, [work, given])
  return lifecycle.track(run, { partOfOther: scope !== undefined }).catch((error: unknown) => {
    throw classify(error, { action: '$transaction', inTransaction: scope !== undefined }) ?? error
  })
}

/** A model's part of the client. */
function isDelegate(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'findMany') === 'function'
}
