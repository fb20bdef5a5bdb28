/** The slice of ioredis that is relied on: `Redis`, with or without Sentinel, and `Cluster` have it. */
export interface RedisLike {
  readonly isCluster?: boolean
  mgetBuffer(...keys: string[]): Promise<readonly (Buffer | null)[]>
  lrange(key: string, start: number, stop: number): Promise<readonly string[]>
  del(...keys: string[]): Promise<number>
  set(key: string, value: string, px: 'PX', ttlMs: number, nx: 'NX'): Promise<'OK' | null>
  eval(script: string, keyCount: number, ...args: (string | number | Buffer)[]): Promise<unknown>
  evalsha(sha: string, keyCount: number, ...args: (string | number | Buffer)[]): Promise<unknown>
  info(section: string): Promise<string>
  publish(channel: string, message: string): Promise<number>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  off(event: string, listener: (...args: unknown[]) => void): unknown
  /** A connection of its own for subscriptions. */
  duplicate(): RedisSubscriberLike
}

/** The connection that receives what is published. */
export interface RedisSubscriberLike {
  subscribe(...channels: string[]): Promise<unknown>
  on(event: string, listener: (...args: unknown[]) => void): unknown
  readonly status: string
  connect(): Promise<unknown>
  disconnect(): void
}
