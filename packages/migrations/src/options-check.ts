import type { DatabaseConfigInput } from '@org/db-core'
import { z } from 'zod'
import type { MigratorOptions } from './options.ts'
import { problemsOf } from './problems.ts'

const milliseconds = z.number().min(0).max(2_147_483_647).optional()
const text = z.string().min(1).optional()
const flag = z.boolean().optional()
const callback = z.custom((value) => typeof value === 'function', { error: 'must be a function' }).optional()
/** Checked by core's `parseConfig`, or of no concern here: `{ ...fromEnv(), directory }` has them all. */
const elsewhere = z.unknown().optional()

const configuration = {
  environment: z.enum(['development', 'testing', 'staging', 'production']).optional(),
  url: elsewhere,
  host: elsewhere,
  port: elsewhere,
  user: elsewhere,
  password: elsewhere,
  database: elsewhere,
  directUrl: elsewhere,
  shadowUrl: elsewhere,
  replicaUrls: elsewhere,
  replicas: elsewhere,
  schema: elsewhere,
  applicationName: elsewhere,
  ssl: elsewhere,
  pool: elsewhere,
  queryTimeoutMs: elsewhere,
  transactionTimeoutMs: elsewhere,
  drainTimeoutMs: elsewhere,
  slowQueryMs: elsewhere,
  logging: elsewhere,
  encryption: elsewhere,
  backup: elsewhere,
} satisfies Record<Extract<keyof DatabaseConfigInput, string>, z.ZodType>

const own = {
  directory: z.string().min(1),
  prismaSchema: text,
  sessionPooler: flag,
  runnerWaitMs: milliseconds,
  lockTimeoutMs: milliseconds,
  lockRetries: z.number().int().min(0).max(10_000).optional(),
  concurrentWaitMs: milliseconds,
  strategy: z
    .strictObject({
      autoDeploy: flag,
      backupBeforeMigrate: callback,
      rollbackSupport: flag,
      zeroDowntime: flag,
      dataScripts: flag,
    })
    .optional(),
  actor: text,
  loadModule: callback,
  packages: z.array(z.looseObject({ name: z.string(), versions: z.array(z.string()) })).optional(),
  onProgress: callback,
} satisfies Record<Exclude<keyof MigratorOptions, keyof typeof configuration>, z.ZodType>

const schema = z.strictObject({ ...configuration, ...own })

/** What is wrong with the options, one sentence a field. */
export function optionProblems(options: unknown): readonly string[] {
  const parsed = schema.safeParse(options)
  return parsed.success ? [] : problemsOf(parsed.error)
}
