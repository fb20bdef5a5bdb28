/** What is told of a saga, in the commit of what it tells of. */
export interface ProgressEvent {
  /** `saga.` and the saga's name. */
  readonly topic: string
  /** `saga:` and its id. */
  readonly key: string
  readonly payload: SagaProgress
}

/** What has happened to a saga. */
export interface SagaProgress {
  readonly id: string
  readonly name: string
  readonly version: number
  /** Absent where it has not changed. */
  readonly state?: string
  /** What was written together. */
  readonly steps: readonly {
    readonly step: string
    readonly outcome: 'done' | 'failed' | 'unknown' | 'undone'
  }[]
}

/** Takes events in the ambient transaction; an outbox of `@org/db-outbox` fits. */
export interface Feed {
  emit(events: readonly ProgressEvent[]): Promise<void>
}
