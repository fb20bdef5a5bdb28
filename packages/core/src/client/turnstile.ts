/** Lets one task pass after the other, in the order of their calls. */
export interface Turnstile {
  pass<T>(task: () => Promise<T>): Promise<T>
}

/**
 * Serialises what must not overlap: the statements of one connection, which node-postgres will no longer queue
 * from version 9 on, and the nested transactions of one transaction, whose savepoints would interleave.
 */
export function createTurnstile(): Turnstile {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return {
    pass(task) {
      waiting += 1
      const current = waiting === 1 ? task() : last.then(task, task)
      const settled = (): void => {
        waiting -= 1
      }
      last = current.then(settled, settled)
      return current
    },
  }
}
