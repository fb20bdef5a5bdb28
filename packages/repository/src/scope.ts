import { AsyncLocalStorage } from 'node:async_hooks'
import type { Binding } from './binding.ts'

// `repository.using(tx)` can't copy the repository: the user's class may have private fields and a constructor of any
// kind. So its methods run on the one instance, and for as long as they run this says which client they use.

interface Scope {
  readonly repository: object
  readonly binding: Binding
  readonly outer: Scope | undefined
}

const scopes = new AsyncLocalStorage<Scope>()

/** Runs `fn`, and all that it starts, with `repository` on another client. */
export function runBound<T>(repository: object, binding: Binding, fn: () => T): T {
  return scopes.run({ repository, binding, outer: scopes.getStore() }, fn)
}

/** The client that `repository` is to use just now, if it is not its own. */
export function boundTo(repository: object): Binding | undefined {
  let scope = scopes.getStore()
  while (scope !== undefined && scope.repository !== repository) scope = scope.outer
  return scope?.binding
}
