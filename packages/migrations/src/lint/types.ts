import type { MigrationMetadata } from '../metadata.ts'
import type { SqlStatement } from '../sql/parser.ts'
import type { Step } from '../sql/steps.ts'

/** `error`: will fail, lose data or stop an application. `warning`: can. `info`: worth knowing. */
export type Severity = 'error' | 'warning' | 'info'

/** Something that a rule has against a statement or a file. */
export interface Finding {
  /** The rule's name: `create-index-not-concurrent`. */
  readonly rule: string
  readonly severity: Severity
  /** What happens. */
  readonly message: string
  /** How to do it safely. */
  readonly fix: string
  /** From 1; 0 for the file as a whole. */
  readonly statement: number
  readonly line: number
}

/** How big a table is, as the database's statistics have it. */
export interface TableSize {
  readonly rows: number
  readonly bytes: number
}

/** What the lint looks at. */
export interface LintInput {
  readonly sql: string
  /** For messages and the rules about the files beside `migration.sql`. */
  readonly name?: string
  /** `rollback.sql`; `undefined` where there is none. */
  readonly rollbackSql?: string | undefined
  readonly metadata?: MigrationMetadata
  /** Sizes by `schema.table` and by `table`. Without them every table counts as big. */
  readonly sizes?: ReadonlyMap<string, TableSize>
  /** Whether the rules about rollbacks and metadata apply. Default: when `name` is given. */
  readonly files?: boolean
}

/** What a rule is given. */
export interface LintContext {
  readonly input: LintInput
  readonly statements: readonly SqlStatement[]
  readonly steps: readonly Step[]
  /** Tables that the file itself creates: nobody uses them yet. */
  readonly created: ReadonlySet<string>
  /** The severity of what hurts with the size of a table: small tables make it milder. */
  bySize(table: string): Severity
}

/** What a rule found; `severity` defaults to the rule's. */
export interface Hit {
  readonly message: string
  readonly severity?: Severity
}

/** One rule. */
export interface Rule {
  readonly name: string
  readonly severity: Severity
  readonly fix: string
  check(statement: SqlStatement, context: LintContext): readonly Hit[]
}

export const none: readonly Hit[] = []
export const hit = (message: string, severity?: Severity): readonly Hit[] => [
  { message, ...(severity && { severity }) },
]
