/** Lets a loop sleep until something happens or time is up. */
export interface Sleeper {
  /** Resolves with true when it was woken, also before it slept, and with false after `ms`. */
  sleep(ms: number): Promise<boolean>
  wake(): void
}

export function createSleeper(): Sleeper {
  let isWoken = false
  let wakeUp: (() => void) | undefined
  return {
    async sleep(ms) {
      if (!isWoken) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          wakeUp = () => {
            clearTimeout(timer)
            resolve()
          }
        })
      }
      wakeUp = undefined
      const was = isWoken
      isWoken = false
      return was
    },
    wake() {
      isWoken = true
      wakeUp?.()
    },
  }
}

/** Resolves with the work, or after so long without it. */
export async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
