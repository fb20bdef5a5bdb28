import { type CreatedMigration, type CreateOptions, create } from './create/create.ts'
import { type BaselineOptions, baseline } from './deploy/baseline.ts'
import { type DeployOptions, type DeployResult, deploy } from './deploy/deploy.ts'
import { withSession } from './deploy/open-runner.ts'
import { type RepairResult, repair } from './deploy/repair.ts'
import { type ResetOptions, reset } from './deploy/reset.ts'
import { type Resolution, resolve } from './deploy/resolve.ts'
import { type RollbackOptions, type RollbackResult, rollback } from './deploy/rollback.ts'
import { type Status, status } from './deploy/status.ts'
import { MigrationError } from './errors.ts'
import { checkIndexes, type IndexDeclaration, type IndexProblem } from './indexes/check-indexes.ts'
import { type LintedMigration, type LintOptions, lint } from './lint/lint-folder.ts'
import { type MigratorOptions, toSettings } from './options.ts'
import { type Plan, plan } from './plan/plan.ts'
import { type DriftResult, drift } from './scratch/drift.ts'
import { type VerifyResult, verify } from './scratch/verify.ts'

/** Everything that can be done with a folder of migrations and a database. Each call opens and closes its own connection. */
export interface Migrator {
  /** Applies what is pending; the next call goes on where one was interrupted. */
  deploy(options?: DeployOptions): Promise<DeployResult>
  /** For the start of an application: deploys with `strategy.autoDeploy`, otherwise refuses to start behind. */
  ensure(): Promise<DeployResult>
  rollback(options?: RollbackOptions): Promise<RollbackResult>
  status(): Promise<Status>
  /** Records migrations as applied without running them; their names. */
  baseline(options: BaselineOptions): Promise<readonly string[]>
  /** Records a decision about a migration that can't go on by itself. */
  resolve(migration: string, resolution: Resolution): Promise<void>
  /** Puts right what needs no decision: checksums of comment-only edits, invalid indexes. */
  repair(): Promise<RepairResult>
  /** Empties the database and deploys anew; never in production. */
  reset(options: ResetOptions): Promise<DeployResult>
  /** Takes every migration up, back and up again in a scratch database, and compares the catalogs. */
  verify(): Promise<VerifyResult>
  /** Compares the database with what its applied migrations make of an empty one. */
  drift(): Promise<DriftResult>
  /** What is pending, statement by statement, with locks, rewrites, rows and bytes. */
  plan(options?: DeployOptions): Promise<Plan>
  /** What the rules have against the migrations that are pending. */
  lint(options?: LintOptions): Promise<readonly LintedMigration[]>
  /** Which of the declared indexes the database does not have, and how to make them. */
  checkIndexes(declarations: readonly IndexDeclaration[]): Promise<readonly IndexProblem[]>
  /** Writes the next migration and its rollback from the Prisma schema; `undefined` where nothing has changed. */
  create(options: CreateOptions): Promise<CreatedMigration | undefined>
}

/** Makes a migrator; it connects when it is asked for something. @throws MigrationError `DB_MIGRATIONS_OPTIONS`, ConfigError */
export function createMigrator(options: MigratorOptions): Migrator {
  const settings = toSettings(options)
  return {
    deploy: (each) => deploy(settings, each),
    async ensure() {
      if (settings.strategy.autoDeploy) return deploy(settings)
      const { pending } = await status(settings)
      if (pending.length === 0) return { applied: [], data: [] }
      throw new MigrationError(
        'DB_MIGRATIONS_PENDING',
        `${pending.length} migrations are pending, ${pending[0]} first`,
        {
          migration: pending[0],
        },
      )
    },
    rollback: (each) => rollback(settings, each),
    status: () => status(settings),
    baseline: (each) => baseline(settings, each),
    resolve: (migration, resolution) => resolve(settings, migration, resolution),
    repair: () => repair(settings),
    reset: (each) => reset(settings, each),
    verify: () => verify(settings),
    drift: () => drift(settings),
    plan: (each) => plan(settings, each),
    lint: (each) => lint(settings, each),
    checkIndexes: (each) => withSession(settings, ({ session }) => checkIndexes(session.sql, each)),
    create: (each) => create(settings, each),
  }
}
