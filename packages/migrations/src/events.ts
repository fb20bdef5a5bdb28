/** What a runner tells while it works. */
export type MigrationEvent =
  /** Another runner holds the lock. */
  | { readonly type: 'waiting'; readonly holder: string }
  | {
      readonly type: 'started'
      readonly migration: string
      readonly direction: Direction
      readonly statements: number
      /** Statements that an earlier, interrupted run has done. */
      readonly done: number
    }
  | {
      readonly type: 'statement'
      readonly migration: string
      readonly direction: Direction
      /** From 1. */
      readonly statement: number
      readonly statements: number
      readonly ms: number
    }
  /** A lock was taken by others, or there was a deadlock: the step is tried again. */
  | {
      readonly type: 'retry'
      readonly migration: string
      readonly statement: number
      readonly attempt: number
      readonly delayMs: number
      readonly code: string
    }
  /** An index that a broken CONCURRENTLY left behind was removed. */
  | { readonly type: 'index-removed'; readonly migration: string; readonly index: string }
  /** RAISE NOTICE and its like. */
  | { readonly type: 'notice'; readonly migration: string; readonly message: string }
  /** A batch of a data migration was committed. */
  | {
      readonly type: 'data'
      readonly migration: string
      readonly direction: Direction
      readonly rows: number
      readonly batches: number
      /** An estimate of the planner's, where rows are visited. */
      readonly estimatedRows: number | undefined
    }
  | {
      readonly type: 'finished'
      readonly migration: string
      readonly direction: Direction
      readonly ms: number
    }
  | { readonly type: 'warning'; readonly migration?: string; readonly message: string }

/** Forwards, or back by `rollback.sql`. */
export type Direction = 'up' | 'down'
