/** What a file of `promises/` exports. */
export interface Proof {
  /** The promise in one line, as the list shows it. */
  readonly title: string
  readonly prove: Prove
}

/**
 * Puts the promise to the test against real servers and real faults, and returns what was checked. It starts
 * what it needs and stops it again, also when it fails or is told to end.
 */
export type Prove = (options: ProveOptions) => Promise<readonly Check[]>

/** How far to go, and whom to tell. */
export interface ProveOptions {
  /** `full` is the promise at the length a sceptic asks for; `short` the same code in some seconds, for the tests. */
  readonly scale: 'full' | 'short'
  readonly report: Report
  /** Ends the proof early; it then rejects with the signal's reason. */
  readonly signal: AbortSignal
}

/** Takes what a proof has to say on its way. */
export interface Report {
  /** What is going on now. */
  progress(message: string): void
  /** One number of the result. */
  figure(figure: Figure): void
}

/** Something that was measured. */
export interface Figure {
  readonly name: string
  readonly value: number | string
  /** `ms`, `orders/s`, …; none for a plain count. */
  readonly unit?: string
}

/** Something that must hold. */
export interface Check {
  /** A statement: `stock sold plus stock left equals stock loaded`. */
  readonly name: string
  readonly passed: boolean
  /** What was found; required reading where it failed. */
  readonly detail?: string
}
