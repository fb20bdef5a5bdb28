/** For what has been told to end, and does not. */
const graceMs = 2_000

/** Tells all to stop, waits for them, and returns how many had not stopped in time. */
export async function stopAll(
  stops: readonly ((options: { readonly drainTimeoutMs: number }) => Promise<void>)[],
  drainTimeoutMs: number,
): Promise<number> {
  if (stops.length === 0) return 0
  let left = stops.length
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, drainTimeoutMs + graceMs)
  })
  const all = stops.map(async (stop) => {
    try {
      await stop({ drainTimeoutMs })
    } finally {
      left -= 1
    }
  })
  await Promise.race([Promise.allSettled(all), late])
  clearTimeout(timer)
  return left
}
