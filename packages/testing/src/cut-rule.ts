/** When a proxied connection is to be cut, and how much still gets through. */
export interface CutRule {
  /** Whose bytes are watched. */
  readonly from: 'client' | 'server'
  /**
   * Text or bytes that trigger the cut, also when they arrive in two pieces, or a condition on each chunk. In
   * PostgreSQL's protocol a client's `COMMIT` is readable in the bytes, and so is the server's answer `COMMIT`.
   */
  readonly bytes: string | Uint8Array | ((chunk: Buffer) => boolean)
  /** The how-manieth match triggers, counted over all connections. Default `1`. */
  readonly nth?: number
  /** Whether the triggering bytes still reach the other side before the cut. Default `false`. */
  readonly deliver?: boolean
  /** `reset`: the client sees ECONNRESET; `close`: an orderly end of the connection. Default `reset`. */
  readonly how?: 'reset' | 'close'
}

/** Returns whether a chunk of one connection holds a match, remembering the end of the chunk before. */
export type Matcher = (chunk: Buffer) => boolean

/** Makes a matcher for one connection. */
export function matcher(bytes: CutRule['bytes']): Matcher {
  if (typeof bytes === 'function') return bytes
  const wanted = Buffer.from(bytes)
  let before = Buffer.alloc(0)
  return (chunk) => {
    const seen = Buffer.concat([before, chunk])
    const found = seen.includes(wanted)
    // After a match nothing is kept, so that no match counts twice.
    before = found ? Buffer.alloc(0) : seen.subarray(Math.max(0, seen.length - wanted.length + 1))
    return found
  }
}
