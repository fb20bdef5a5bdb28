import { AsyncResource } from 'node:async_hooks'

/** Makes a function that runs others as if nobody had called them: in no transaction, and on nobody's behalf. */
export function createOutside(): <T>(fn: () => T) => T {
  const resource = new AsyncResource('@org/db-saga')
  return (fn) => resource.runInAsyncScope(fn)
}
