/** What a question compares: operations a second (more is better) or client CPU per operation (less is better). */
export type Metric = 'throughput' | 'client-cpu'

/** How a run measures; each field can be set on the command line. */
export interface Plan {
  /** Turns that every variant gets at each concurrency. */
  readonly rounds: number
  /** Length of one turn. */
  readonly seconds: number
  /** Operations in flight, one series for each. */
  readonly concurrency: readonly number[]
  /** How long each variant runs before the first round. */
  readonly warmUpSeconds: number
}

/** One thing to measure: one file in `questions/`, exported as `question`. */
export interface Question {
  /** One line for the list: what is compared, and on which data. */
  readonly title: string
  readonly metric: Metric
  /** The variant that has ratio 1. */
  readonly baseline: string
  readonly plan: Plan
  /** Starts servers, loads data, opens the variants and checks that all give the same answer. */
  setup(options: SetupOptions): Promise<Stage>
}

/** What a question needs to know to set itself up. */
export interface SetupOptions {
  /** The plan as the command line changed it. */
  readonly plan: Plan
  /** Says what is going on. */
  readonly progress: (message: string) => void
}

/** A question that is ready to be measured. */
export interface Stage {
  /** In the order of the table; the runner takes them in turn. */
  readonly variants: readonly Variant[]
  /** Versions and settings that belong in the result, such as `PostgreSQL: 18.0`. */
  readonly environment: Readonly<Record<string, string>>
  /** Sentences for below the table: what was left out, and why. */
  readonly notes: readonly string[]
  /** The process whose children are the database's backends, for the server's CPU time. */
  readonly postmasterPid?: number
  /** Runs before each turn, outside the measurement. */
  beforeTurn?(): Promise<void>
  close(): Promise<void>
}

/** One contestant. Names of our own begin with `ours`. */
export type Variant = OperationVariant | ProgramVariant

/** A contestant that lives in this process. */
export interface OperationVariant {
  readonly name: string
  /** What it does, in a few words for the table's legend. */
  readonly detail: string
  /** Runs one operation. */
  operation(): Promise<unknown>
}

/** A contestant that is a program of its own and measures itself. */
export interface ProgramVariant {
  readonly name: string
  readonly detail: string
  run(options: { readonly concurrency: number; readonly seconds: number }): Promise<ProgramSample>
}

/** What a program measured in one turn. */
export interface ProgramSample {
  readonly operations: number
  readonly seconds: number
  readonly p50Us?: number
  readonly p99Us?: number
}

/** One turn of one variant. */
export interface Sample {
  readonly operations: number
  readonly operationsPerSecond: number
  readonly p50Us: number | undefined
  readonly p99Us: number | undefined
  /** CPU time of this process per operation; absent where the work is done in another process. */
  readonly clientCpuUs: number | undefined
  /** CPU time of all the server's processes per operation; absent where the system doesn't tell. */
  readonly serverCpuUs: number | undefined
}
