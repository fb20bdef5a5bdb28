import { DatabaseError } from '../database-error.ts'
import { databaseKey } from '../database-of.ts'
import { kindOfAction } from '../operation.ts'
import type { Ambient } from './ambient.ts'
import { bindToCall, isPrismaPromise } from './call-promise.ts'
import type { FastPath } from './fast/fast-path.ts'
import { type Route, routedCall } from './replicas/routed-call.ts'
import type { TransactionScope } from './transaction-scope.ts'
import type { Transactions } from './transactions.ts'

/** What the facade needs around it. */
export interface FacadeOptions {
  readonly ambient: Ambient
  readonly transactions: Transactions
  readonly close: () => Promise<void>
  readonly connect: () => Promise<void>
  /** Where reads go; absent when they go to the primary. */
  readonly route: Route | undefined
  /** What `databaseOf` finds; absent for a client that joins no transaction. */
  readonly database: (() => object) | undefined
  /** Lookups past Prisma; absent where there are none. */
  readonly fast: FastPath | undefined
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
 * overridden `$transaction` hands out clients without any. `methods` stand before the client's own names.
 */
export function createFacade<Client extends object, Methods extends object = object>(
  client: Client,
  options: FacadeOptions,
  methods?: Methods,
): Client & Methods {
  const { ambient, route } = options
  const cache = new Map<PropertyKey, unknown>()

  const own: Readonly<Record<string, unknown>> = {
    $connect: options.connect,
    $disconnect: options.close,
    $transaction: (work: unknown, given: PrismaTransactionOptions = {}) =>
      route?.replicaOnly
        ? Promise.reject(readOnly('$transaction'))
        : transact(work, given, options.transactions),
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
    if (typeof value === 'function') {
      const inside = (scope: TransactionScope): object => scope.client ?? client
      const bound = { base: client, value: value as Method, property, inside, ambient }
      return route?.replicaOnly ? replicaMethod(bound, route, (on) => on, client) : boundMethod(bound)
    }
    return isDelegate(value)
      ? delegateFacade(property, value, { client, ambient, route, fast: options.fast })
      : value
  }

  return new Proxy(client, {
    get(_target, property) {
      const known = cache.get(property)
      if (known !== undefined) return known
      if (methods && Object.hasOwn(methods, property)) return Reflect.get(methods, property)
      if (property === databaseKey) return options.database?.()
      const value = read(property)
      if (typeof value === 'object' || typeof value === 'function') cache.set(property, value)
      return value
    },
    has: (_target, property) =>
      (methods && Object.hasOwn(methods, property)) || Reflect.has(client, property),
  }) as Client & Methods
}

function delegateFacade(
  model: PropertyKey,
  base: object,
  {
    client,
    ambient,
    route,
    fast,
  }: Pick<FacadeOptions, 'ambient' | 'route' | 'fast'> & { readonly client: object },
): object {
  const cache = new Map<PropertyKey, unknown>()
  const inside = (scope: TransactionScope): object => Reflect.get(scope.client ?? {}, model) as object
  return new Proxy(base, {
    get(target, property) {
      const known = cache.get(property)
      if (known !== undefined) return known
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      const bound = { base, value: value as Method, property, inside, ambient }
      const slow = methodOn(bound)
      const method = fast?.method({ delegate: String(model), action: String(property), slow, route }) ?? slow
      cache.set(property, method)
      return method
    },
  })

  function methodOn(bound: BoundMethod): Method {
    if (!route) return boundMethod(bound)
    const part = (on: object): object => (on === client ? base : (Reflect.get(on, model) as object))
    if (route.replicaOnly) return replicaMethod(bound, route, part, client)
    return kindOfAction(String(bound.property)) === 'read'
      ? routedMethod(bound, route, part, client)
      : boundMethod(bound)
  }
}

type Method = (...args: readonly unknown[]) => unknown

interface BoundMethod {
  /** The object and its method outside a transaction: looked up once, because Prisma's objects are proxies. */
  readonly base: object
  readonly value: Method
  readonly property: PropertyKey
  /** The same object inside a transaction. */
  readonly inside: (scope: TransactionScope) => object
  readonly ambient: Ambient
}

function boundMethod({ base, value, property, inside, ambient }: BoundMethod): Method {
  return (...args) => {
    const site = ambient.capture()
    const target = site.scope === undefined ? base : inside(site.scope)
    const method = target === base ? value : (Reflect.get(target, property, target) as Method)
    const result = Reflect.apply(method, target, args)
    return isPrismaPromise(result) ? bindToCall(result, site, ambient) : result
  }
}

/** A read that goes where `route` sends it; inside a transaction it belongs to that. */
function routedMethod(bound: BoundMethod, route: Route, part: Part, primary: object): Method {
  const { ambient, property } = bound
  const inTransaction = boundMethod(bound)
  const methods = new WeakMap<object, Method>()
  // Prisma's objects are proxies, so what is looked up is kept.
  const methodOn = (client: object): Method => {
    const known = methods.get(client)
    if (known) return known
    const owner = part(client)
    const method = (Reflect.get(owner, property) as Method).bind(owner)
    methods.set(client, method)
    return method
  }
  return (...args) => {
    const site = ambient.capture()
    if (site.scope && !route.replicaOnly) return inTransaction(...args)
    const make = (client: object): object => methodOn(client)(...args) as object
    const outside = { scope: undefined, context: site.context }
    return routedCall({ make, primary, action: String(property), site: outside, ambient, route })
  }
}

type Part = (client: object) => object

/** A method of `db.replica`: reads and raw queries; a replica would refuse the rest less clearly. */
function replicaMethod(bound: BoundMethod, route: Route, part: Part, primary: object): Method {
  const action = String(bound.property)
  if (kindOfAction(action) === 'read' || action.startsWith('$queryRaw')) {
    return routedMethod(bound, route, part, primary)
  }
  return () => Promise.reject(readOnly(action))
}

function readOnly(action: string): DatabaseError {
  return new DatabaseError('DB_READ_ONLY', `db.replica only reads: ${action} is for the primary`, {
    outcome: 'not-sent',
  })
}

/** Prisma's two forms of `$transaction`, with what ours adds: ambient, strict, counted, classified. */
function transact(
  work: unknown,
  given: PrismaTransactionOptions,
  transactions: Transactions,
): Promise<unknown> {
  const { maxWait, timeout, isolationLevel } = given
  if (typeof work === 'function') {
    return transactions.run((scope) => Reflect.apply(work, undefined, [scope.client]) as Promise<unknown>, {
      ...(maxWait !== undefined && { maxWaitMs: maxWait }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
      ...(isolationLevel !== undefined && { isolationLevel }),
    })
  }
  return transactions.batch(
    (on) => Reflect.apply(Reflect.get(on, '$transaction') as () => Promise<unknown>, on, [work, given]),
    given,
  )
}

/** A model's part of the client. */
function isDelegate(value: unknown): value is object {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'findMany') === 'function'
}
