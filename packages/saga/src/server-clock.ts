/** The server's clock, as far as its answers tell. */
export interface ServerClock {
  /** Epoch milliseconds. Ours, until the server has told its own. */
  now(): number
  /** Learns from a question that was on its way from `askedAt` until now what the server's clock says. */
  learn(serverMs: number, askedAt: number): void
}

/** What took longer says too little. */
const mostTripMs = 2_000

export function createServerClock(): ServerClock {
  let offsetMs = 0
  return {
    now: () => Date.now() + offsetMs,
    learn(serverMs, askedAt) {
      const answeredAt = Date.now()
      const tripMs = answeredAt - askedAt
      if (tripMs < 0 || tripMs > mostTripMs) return
      const apart = serverMs - (askedAt + answeredAt) / 2
      // Within the trip nobody can tell the two clocks apart.
      offsetMs = Math.abs(apart) <= tripMs / 2 + 1 ? 0 : apart
    },
  }
}
