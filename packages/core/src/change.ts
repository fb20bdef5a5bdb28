/** One committed change of one row, or one event that an application emitted. */
export interface Change {
  /** Unique and increasing within one feed; the position to resume after. */
  readonly id: string
  /** The Prisma model or the topic. */
  readonly model: string
  readonly kind: 'create' | 'update' | 'delete' | 'event'
  /** What orders changes: those of one key arrive in the order of their commits. */
  readonly key: string
  readonly tenant?: string
  readonly before?: unknown
  readonly after?: unknown
  /** When the change was committed. */
  readonly at: Date
}

/** Takes changes: a search index, an analytics table, a cache to invalidate. */
export interface ChangeSink {
  /** Names it in errors, metrics and cursors. */
  readonly name: string
  /** Applies changes in the given order. May be called again with changes that it already took. */
  write(changes: readonly Change[], options: { readonly signal: AbortSignal }): Promise<void>
  close?(): Promise<void>
}
