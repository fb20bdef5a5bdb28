/** What a deployment may and must do; the flags of a project's policy. */
export interface Strategy {
  /** `ensure()`, called when an application starts, deploys; otherwise it throws where something is pending. Default `false`. */
  readonly autoDeploy?: boolean
  /** Called before anything is run, when something is pending; a failure stops the deployment. */
  readonly backupBeforeMigrate?: (pending: readonly string[]) => Promise<void>
  /** Every pending migration must have a `rollback.sql` or say `"reversible": "none"`. Default `false`. */
  readonly rollbackSupport?: boolean
  /**
   * A migration of phase `contract` waits until everything that its `requires` names is finished, and was so before
   * this deployment began, so that an application's release lies between. Default `false`.
   */
  readonly zeroDowntime?: boolean
  /** Whether `data.ts` files are run. Without, they stay pending in `status`. Default `true`. */
  readonly dataScripts?: boolean
}
