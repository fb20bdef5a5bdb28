import { compose, currentContext, type Interceptor, type Operation, restoreContext } from '@org/db-core'
import type { Binding } from './binding.ts'
import { RepositoryError } from './errors.ts'
import { extraFor } from './extra.ts'
import { type ExtraMethod, inner } from './inner.ts'
import { runBound } from './scope.ts'

/** What a view must know about the repository behind it. */
export interface ViewedRepository {
  /** The repository on the client that it uses just now. */
  readonly binding: Binding
  /** Finds the model on another client. */
  bindTo(client: unknown): Binding
}

/** How a view differs from the repository behind it. */
export interface ViewOptions {
  readonly interceptors: readonly Interceptor[]
  /** Another client than the repository's own. */
  readonly binding: Binding | undefined
}

type Method = (...args: readonly unknown[]) => unknown

const kinds: Readonly<Record<string, Operation['kind']>> = {
  findById: 'read',
  findByIdOrThrow: 'read',
  findFirst: 'read',
  findFirstOrThrow: 'read',
  findMany: 'read',
  exists: 'read',
  count: 'read',
  page: 'read',
  create: 'write',
  update: 'write',
  delete: 'write',
}

/** No calls for the database. */
const passed: ReadonlySet<PropertyKey> = new Set([
  ...Object.getOwnPropertyNames(Object.prototype),
  'beforeCreate',
  'beforeUpdate',
])

/**
 * The repository as seen from outside, through interceptors or on another client. The methods themselves run on
 * the repository, so private fields work and calls that methods make of each other are not intercepted again.
 */
export function createView<R extends object>(target: R, viewed: ViewedRepository, options: ViewOptions): R {
  const { interceptors, binding } = options
  const run = compose(interceptors)
  const wrapped = new Map<PropertyKey, { readonly value: object; readonly seen: object }>()

  const own: Readonly<Record<string, unknown>> = {
    with: (...more: readonly Interceptor[]) =>
      createView(target, viewed, { ...options, interceptors: [...interceptors, ...more] }),
    using: (client: unknown) => createView(target, viewed, { ...options, binding: viewed.bindTo(client) }),
  }

  const inside = <T>(fn: () => T): T => (binding ? runBound(target, binding, fn) : fn())
  const direct =
    (method: Method): Method =>
    (...args) => {
      const result = inside(() => Reflect.apply(method, target, args))
      return isStepped(result) ? stepInside(result, inside) : result
    }

  function intercepted(
    action: string,
    method: Method,
    kind: Operation['kind'] = kinds[action] ?? 'unknown',
  ): Method {
    const last = async ({ args, context }: Operation): Promise<unknown> => {
      if (!Array.isArray(args)) {
        throw new RepositoryError(
          'DB_REPOSITORY_ARGUMENT',
          `An interceptor handed on ${action} of ${target.constructor.name} without its list of arguments`,
        )
      }
      return started(
        restoreContext(context, () => inside(() => Reflect.apply(method, target, args))),
        action,
      )
    }
    return async (...args) => {
      const { model, inTransaction, database } = binding ?? viewed.binding
      const operation: Operation = {
        layer: 'repository',
        model,
        action,
        kind,
        args,
        context: currentContext(),
        inTransaction: inTransaction(),
        source: database?.source,
      }
      return run(operation, last)
    }
  }

  function started(result: unknown, action: string): Promise<unknown> {
    if (result instanceof Promise) return result
    if (isThenable(result)) {
      // Prisma's promises start when they are asked for their result, which must happen here and now.
      return new Promise((resolve, reject) => result.then(resolve, reject))
    }
    throw new RepositoryError(
      'DB_REPOSITORY_SYNC_METHOD',
      `${target.constructor.name}.${action} returns no promise and can't be called through interceptors`,
    )
  }

  function callExtra({ action, kind }: ExtraMethod, args: readonly unknown[], body: Method): unknown {
    return (interceptors.length === 0 ? direct(body) : intercepted(action, body, kind))(...args)
  }

  const view: R = new Proxy(target, {
    get(_target, property) {
      if (typeof property === 'string' && Object.hasOwn(own, property)) return own[property]
      if (property === inner) return { ...(Reflect.get(target, inner, target) as object), call: callExtra }
      const value: unknown = inside(() => Reflect.get(target, property, target))
      if ((typeof value !== 'function' && typeof value !== 'object') || value === null) return value
      if (passed.has(property)) return value
      const known = wrapped.get(property)
      if (known?.value === value) return known.seen
      const seen =
        typeof value === 'function' ? wrap(property, value as Method) : extraFor(view, target, value)
      if (seen !== undefined) wrapped.set(property, { value, seen })
      return seen ?? value
    },
    set: (_target, property, value) => Reflect.set(target, property, value, target),
  })
  return view

  function wrap(property: string | symbol, method: Method): Method {
    const isDirect = interceptors.length === 0 || typeof property === 'symbol' || isAsyncGenerator(method)
    return isDirect ? direct(method) : intercepted(property, method)
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof Reflect.get(value, 'then') === 'function'
}

function isAsyncGenerator(method: Method): boolean {
  return Object.prototype.toString.call(method) === '[object AsyncGeneratorFunction]'
}

/** Whether something is read step by step: a generator, or the stream that a method returns. */
function isStepped(value: unknown): value is AsyncGenerator {
  return (
    typeof value === 'object' &&
    value !== null &&
    Symbol.asyncIterator in value &&
    typeof Reflect.get(value, 'next') === 'function'
  )
}

/** A generator's body runs step by step, whenever its caller asks: each step must see the client of the view. */
function stepInside(generator: AsyncGenerator, inside: <T>(fn: () => T) => T): AsyncGenerator {
  return new Proxy(generator, {
    get(target, property, receiver) {
      if (property === Symbol.asyncIterator) return () => receiver
      const value: unknown = Reflect.get(target, property, target)
      return typeof value === 'function'
        ? (...args: readonly unknown[]) => inside(() => Reflect.apply(value, target, args))
        : value
    },
  })
}
