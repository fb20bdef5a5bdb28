/** Waits that end early. */
export interface Pauser {
  /** Resolves when time is up, when the signal aborts, or when everything ends. */
  pause(ms: number, signal?: AbortSignal): Promise<void>
  /** Ends all waits, also those to come. */
  end(): void
}

export function createPauser(): Pauser {
  const ending = new AbortController()
  return {
    async pause(ms, signal) {
      if (signal?.aborted || ending.signal.aborted) return
      await new Promise<void>((resolve) => {
        const finish = (): void => {
          clearTimeout(timer)
          signal?.removeEventListener('abort', finish)
          ending.signal.removeEventListener('abort', finish)
          resolve()
        }
        const timer = setTimeout(finish, ms)
        signal?.addEventListener('abort', finish)
        ending.signal.addEventListener('abort', finish)
      })
    },
    end: () => ending.abort(),
  }
}

/** Whether something ends in time. */
export async function endsWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms)
  })
  const ended = work.then(
    () => true,
    () => true,
  )
  const isInTime = await Promise.race([ended, late])
  clearTimeout(timer)
  return isInTime
}
