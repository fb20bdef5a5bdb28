export { lintRules, lintSql } from './lint.ts'
export type { Finding, LintInput, Severity, TableSize } from './types.ts'
