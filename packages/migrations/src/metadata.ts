import { MigrationError } from './errors.ts'

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

type Check = (value: unknown) => boolean

const isText: Check = (value) => typeof value === 'string'
const oneOf =
  (...allowed: readonly string[]): Check =>
  (value) =>
    typeof value === 'string' && allowed.includes(value)
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check)
const isWaiver: Check = (value) =>
  isRecord(value) &&
  isText(value.rule) &&
  isText(value.reason) &&
  (value.until === undefined || /^\d{4}-\d\d-\d\d$/.test(String(value.until)))

const fields: Readonly<Record<keyof MigrationMetadata, Check>> = {
  description: isText,
  author: isText,
  reversible: oneOf('full', 'lossy', 'none'),
  risk: oneOf('low', 'medium', 'high'),
  phase: oneOf('expand', 'migrate', 'contract'),
  requires: listOf(isText),
  lockTimeoutMs: (value) => typeof value === 'number' && value > 0,
  transactional: oneOf('auto', 'none'),
  waivers: listOf(isWaiver),
}

/** Reads `metadata.json`; a field that is unknown or wrong is an error, since a typing mistake there is silent. */
export function parseMetadata(text: string, migration: string): MigrationMetadata {
  const fail = (problem: string, cause?: unknown) =>
    new MigrationError('DB_MIGRATIONS_FOLDER', `${migration}/metadata.json: ${problem}`, {
      migration,
      file: 'metadata.json',
      cause,
    })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw fail('no valid JSON', error)
  }
  if (!isRecord(value)) throw fail('no object')
  for (const [name, each] of Object.entries(value)) {
    if (!(name in fields)) throw fail(`unknown field ${name}`)
    if (!fields[name as keyof MigrationMetadata](each)) throw fail(`wrong value of ${name}`)
  }
  return value
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
