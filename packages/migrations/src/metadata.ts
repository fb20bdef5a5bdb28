import { z } from 'zod'
import { MigrationError, type MigrationErrorDetails } from './errors.ts'
import { problemsOf } from './problems.ts'

/** A rule of the lint that a migration is allowed to break. */
export interface Waiver {
  /** The rule's name: `drop-column`. */
  readonly rule: string
  readonly reason: string
  /** The last day it holds, `2027-01-31`. Default: for ever. */
  readonly until?: string
}

/** What `metadata.json` says; every field is optional. */
export interface MigrationMetadata {
  readonly description?: string
  readonly author?: string
  /** `lossy`: the rollback loses data. `none`: there is no way back. */
  readonly reversible?: 'full' | 'lossy' | 'none'
  readonly risk?: 'low' | 'medium' | 'high'
  /** Its part in a change without downtime. */
  readonly phase?: 'expand' | 'migrate' | 'contract'
  /** Migrations that must be finished, data and all, before this one; by directory name. */
  readonly requires?: readonly string[]
  /** Longest wait for one lock. Default: that of the deployment. */
  readonly lockTimeoutMs?: number
  /** `none` runs each statement for itself, for files that call procedures which commit. Default `auto`. */
  readonly transactional?: 'auto' | 'none'
  readonly waivers?: readonly Waiver[]
}

const text = z.string().optional()

const schema = z.strictObject({
  description: text,
  author: text,
  reversible: z.enum(['full', 'lossy', 'none']).optional(),
  risk: z.enum(['low', 'medium', 'high']).optional(),
  phase: z.enum(['expand', 'migrate', 'contract']).optional(),
  requires: z.array(z.string()).optional(),
  lockTimeoutMs: z.number().positive().max(2_147_483_647).optional(),
  transactional: z.enum(['auto', 'none']).optional(),
  waivers: z
    .array(z.strictObject({ rule: z.string(), reason: z.string(), until: z.iso.date().optional() }))
    .optional(),
})

/** Reads `metadata.json`; fields that are unknown or wrong are an error, since a typing mistake there is silent. */
export function parseMetadata(json: string, migration: string): MigrationMetadata {
  const fail = (problem: string, details: Pick<MigrationErrorDetails, 'cause' | 'problems'>) =>
    new MigrationError('DB_MIGRATIONS_FOLDER', `${migration}/metadata.json: ${problem}`, {
      migration,
      file: 'metadata.json',
      ...details,
    })
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw fail('no valid JSON', { cause: error })
  }
  const parsed = schema.safeParse(value)
  if (parsed.success) return value as MigrationMetadata
  const problems = problemsOf(parsed.error)
  throw fail(problems.join('; '), { problems })
}
