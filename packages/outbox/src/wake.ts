/** Lets loops sleep until something happens or time is up. */
export interface Wake {
  /** Wakes all that sleep; one that does not sleep will not sleep the next time. */
  wake(): void
  /** A sleeper of its own: what happens between two sleeps is not missed. */
  sleeper(): Sleeper
}

export interface Sleeper {
  /** Resolves with true when it was woken, with false after `ms`. */
  sleep(ms: number): Promise<boolean>
  wake(): void
  close(): void
}

export function createWake(): Wake {
  const sleepers = new Set<Sleeper>()
  return {
    wake() {
      for (const each of sleepers) each.wake()
    },
    sleeper() {
      let isWoken = false
      let resolve: ((woken: boolean) => void) | undefined
      let timer: NodeJS.Timeout | undefined
      function end(woken: boolean): void {
        clearTimeout(timer)
        const waiting = resolve
        resolve = undefined
        if (woken) isWoken = waiting === undefined
        waiting?.(woken)
      }
      const sleeper: Sleeper = {
        sleep(ms) {
          if (isWoken) {
            isWoken = false
            return Promise.resolve(true)
          }
          return new Promise((done) => {
            resolve = done
            timer = setTimeout(() => end(false), ms)
          })
        },
        wake: () => end(true),
        close: () => {
          sleepers.delete(sleeper)
          end(true)
        },
      }
      sleepers.add(sleeper)
      return sleeper
    },
  }
}
