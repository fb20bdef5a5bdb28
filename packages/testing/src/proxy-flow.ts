import type { Socket } from 'node:net'

/** What the proxy does to bytes at this moment; one object for all connections, changed while they run. */
export interface ProxyState {
  stalled: boolean
  delayMs: number
}

/** One direction of a proxied connection. */
export interface Flow {
  /** To be called when `state.stalled` has changed. */
  update(): void
  /** Drops what is queued and what still arrives. */
  stop(): void
}

/**
 * Moves bytes from one socket to the other, late or not at all as `state` says, in order, and no faster than the
 * receiver reads. `inspect` sees each chunk before it is sent; it returns `false` when it has taken over.
 */
export function flow(
  from: Socket,
  to: Socket,
  options: { readonly state: ProxyState; readonly inspect: (chunk: Buffer) => boolean },
): Flow {
  const { state, inspect } = options
  const queue: { readonly dueAt: number; readonly chunk: Buffer | undefined }[] = []
  let timer: NodeJS.Timeout | undefined
  let full = false
  let stopped = false

  /** An undefined chunk is the end of the stream. */
  function send(chunk: Buffer | undefined): void {
    if (chunk === undefined) to.end()
    else if (inspect(chunk) && to.writable) full = !to.write(chunk)
  }

  function drain(): void {
    timer = undefined
    while (queue[0] && !state.stalled) {
      const waitMs = queue[0].dueAt - Date.now()
      if (waitMs > 0) {
        timer = setTimeout(drain, waitMs)
        break
      }
      send(queue.shift()?.chunk)
    }
    update()
  }

  function update(): void {
    if (state.stalled || full) from.pause()
    else from.resume()
    if (!state.stalled && !timer && queue.length > 0) timer = setTimeout(drain, 0)
  }

  function receive(chunk: Buffer | undefined): void {
    if (stopped) return
    const dueAt = Math.max(Date.now() + state.delayMs, queue.at(-1)?.dueAt ?? 0)
    queue.push({ dueAt, chunk })
    if (!timer) drain()
  }

  from.on('data', receive)
  from.on('end', () => receive(undefined))
  to.on('drain', () => {
    full = false
    update()
  })
  return {
    update,
    stop() {
      stopped = true
      full = false
      clearTimeout(timer)
      queue.length = 0
    },
  }
}
