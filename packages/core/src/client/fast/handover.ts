import { AsyncLocalStorage } from 'node:async_hooks'
import type { Operation } from '../../operation.ts'

interface Handover {
  operation: Operation | undefined
}

const store = new AsyncLocalStorage<Handover>()

/** Runs `fn`, whose first operation is one that has passed the interceptors already. */
export function handOver<T>(operation: Operation, fn: () => T): T {
  return store.run({ operation }, fn)
}

/** The operation that has passed them, once: what follows in its wake passes them as usual. */
export function takeHandedOver(): Operation | undefined {
  const handover = store.getStore()
  const operation = handover?.operation
  if (handover) handover.operation = undefined
  return operation
}
