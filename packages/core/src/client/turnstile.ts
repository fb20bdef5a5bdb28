/** Lets one task pass after the other, in the order of their calls. */
export interface Turnstile {
  pass<T>(task: () => Promise<T>): Promise<T>
  /** Whether a task is running. */
  readonly isBusy: boolean
}

/** Serialises the statements of one connection, which node-postgres will no longer queue from version 9 on. */
export function createTurnstile(): Turnstile {
  let last: Promise<unknown> = Promise.resolve()
  let waiting = 0
  return {
    get isBusy() {
      return waiting > 0
    },
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
