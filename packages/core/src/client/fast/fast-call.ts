import type { Operation } from '../../operation.ts'
import type { Ambient, CallSite } from '../ambient.ts'
import type { Route } from '../replicas/routed-call.ts'
import type { RowSecurity } from '../row-security.ts'
import type { Bypass } from './bypass.ts'
import { answerByPrisma, FastLookup, type LookupStart, operationOf } from './fast-lookup.ts'
import type { FastServer } from './fast-server.ts'
import type { ModelPlanner, Planned } from './planner.ts'

type Method = (...args: readonly unknown[]) => unknown

/** One method of one model, `db.film.findUnique`. */
export interface FastMethod {
  readonly model: string
  readonly delegate: string
  readonly action: string
  readonly planner: ModelPlanner
  readonly bypass: Bypass
  readonly ambient: Ambient
  readonly rowSecurity: RowSecurity | undefined
  readonly primary: FastServer
  /** The servers by their clients, for `route`. */
  readonly servers: ReadonlyMap<object, FastServer>
  readonly route: Route | undefined
  /** The method without the fast path. */
  readonly slow: Method
}

/**
 * A call that has been made and not been started, as Prisma's promise is one: `then` starts it, in the transaction
 * and context of the call. In a batch, or when a relation is followed, it becomes Prisma's own.
 */
export class FastCall {
  readonly #method: FastMethod
  readonly #planned: Planned
  readonly #args: unknown
  readonly #site: CallSite
  #promise: Promise<unknown> | undefined
  #prismas: object | undefined

  constructor(method: FastMethod, planned: Planned, args: unknown, site: CallSite) {
    this.#method = method
    this.#planned = planned
    this.#args = args
    this.#site = site
    if (site.scope) site.scope.unstarted += 1
  }

  get [Symbol.toStringTag](): string {
    return 'PrismaPromise'
  }

  // biome-ignore lint/suspicious/noThenProperty: it is a promise that starts when it is awaited, as Prisma's
  then(onFulfilled?: never, onRejected?: never): Promise<unknown> {
    const promise = this.#start()
    return onFulfilled === undefined && onRejected === undefined
      ? promise
      : promise.then(onFulfilled, onRejected)
  }

  catch(onRejected: never): Promise<unknown> {
    return this.#start().catch(onRejected)
  }

  finally(onFinally: never): Promise<unknown> {
    return this.#start().finally(onFinally)
  }

  /** Prisma's promise of the same call, for what only that can do. */
  prismas(): object {
    if (this.#prismas) return this.#prismas
    const { ambient, slow } = this.#method
    this.#markStarted()
    const made = ambient.restore(this.#site, () => slow(this.#args)) as object
    this.#prismas = made
    return made
  }

  #markStarted(): void {
    if (this.#promise || this.#prismas || !this.#site.scope) return
    this.#site.scope.unstarted -= 1
  }

  #start(): Promise<unknown> {
    if (this.#prismas) return (this.#prismas as Promise<unknown>).then()
    if (this.#promise) return this.#promise
    this.#markStarted()
    const { route, primary, servers, action } = this.#method
    const site = this.#site
    const isRouted = route !== undefined && (route.replicaOnly || site.scope === undefined)
    this.#promise = isRouted
      ? route.send({ scope: undefined, context: site.context }, action, (client) =>
          this.#run(servers.get(client) ?? primary, undefined),
        )
      : this.#run(primary, site.scope)
    return this.#promise
  }

  #run(server: FastServer, scope: CallSite['scope']): Promise<unknown> {
    const method = this.#method
    const { pipeline } = server
    const { context } = this.#site
    const inTransaction = scope !== undefined
    try {
      pipeline.begin(inTransaction, scope)
    } catch (error) {
      return Promise.reject(error)
    }
    const startedAt = performance.now()
    const start = { method, server, scope, context, args: this.#args ?? {} }
    if (!pipeline.intercept) return new FastLookup(start, this.#planned, startedAt).promise
    const operation = operationOf(start)
    const intercepted = method.ambient.restore({ scope, context }, () =>
      pipeline.intercept?.(operation, (current) => {
        const isSame = current.args === operation.args && current.action === operation.action
        const planned = isSame ? this.#planned : planOf(current, method)
        const { context, args } = current
        const lookup = { ...start, ...this.#joined(start), context, args, operation: current }
        return planned ? new FastLookup(lookup, planned).promise : answerByPrisma(lookup)
      }),
    )
    return (intercepted as Promise<unknown>).finally(() =>
      pipeline.end(operation, { inTransaction, scope, startedAt }),
    )
  }

  /** An interceptor may have opened a transaction around a call that came with none. */
  #joined({ scope, server }: LookupStart): Pick<LookupStart, 'scope' | 'server'> {
    const { ambient, primary, route } = this.#method
    const opened = scope || route?.replicaOnly ? undefined : ambient.scope()
    return opened ? { scope: opened, server: primary } : { scope, server }
  }
}

function planOf({ model, action, args }: Operation, method: FastMethod): Planned | undefined {
  return model === method.model ? method.planner.plan(action, args) : undefined
}
