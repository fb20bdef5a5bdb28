import { AsyncLocalStorage } from 'node:async_hooks'

/**
 * Who may use a transaction's connection: its operations side by side, or one savepoint alone. What was sent while a
 * savepoint is open would belong to it, and vanish with it although its caller was told of a success.
 */
export interface Gate {
  /** Runs an operation as soon as no savepoint is open. */
  share<T>(task: () => Promise<T>): Promise<T>
  /** Runs a savepoint as soon as nothing else runs. */
  take<T>(task: () => Promise<T>): Promise<T>
}

/** The gates that the running code has passed by `share`: a savepoint inside an operation can't wait for its end. */
const passed = new AsyncLocalStorage<Gate>()

/** Makes the gate of one transaction or savepoint. */
export function createGate(): Gate {
  let sharing = 0
  let isTaken = false
  const sharers: (() => void)[] = []
  const takers: (() => void)[] = []

  function next(): void {
    if (isTaken) return
    for (const start of sharers.splice(0)) start()
    if (sharing === 0) takers.shift()?.()
  }

  async function share<T>(task: () => Promise<T>): Promise<T> {
    sharing += 1
    try {
      return await passed.run(gate, task)
    } finally {
      sharing -= 1
      next()
    }
  }

  async function taking<T>(task: () => Promise<T>): Promise<T> {
    isTaken = true
    try {
      return await task()
    } finally {
      isTaken = false
      next()
    }
  }

  const gate: Gate = {
    share(task) {
      if (!isTaken) return share(task)
      return new Promise((resolve) => sharers.push(() => resolve(share(task))))
    },
    take(task) {
      if (passed.getStore() === gate) return task()
      if (!isTaken && sharing === 0) return taking(task)
      return new Promise((resolve) => takers.push(() => resolve(taking(task))))
    },
  }
  return gate
}
