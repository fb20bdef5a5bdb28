/** How one piece of work is to be retried. */
export interface RunOptions {
  /** Names it in events. Default `anonymous`. */
  readonly name?: string
  /** Doing it twice does no harm, so a lost connection is no reason to stop. Default `false`. */
  readonly idempotent?: boolean
}
