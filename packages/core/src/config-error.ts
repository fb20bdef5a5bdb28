import { DbError, type DbErrorOptions } from './errors.ts'

/** One wrong field of a configuration. */
export interface ConfigProblem {
  /** The path of the field: `pool.max`. */
  readonly field: string
  /** The environment variable that it came from, if it came from one. */
  readonly variable?: string
  /** What is wrong with it; never its value. */
  readonly problem: string
}

/** The code of a wrong configuration. */
export type ConfigErrorCode =
  /** Fields of the configuration are wrong; `problems` names them all. */
  'DB_CONFIG'

/** A configuration is wrong; `problems` lists every wrong field. */
export class ConfigError extends DbError<ConfigErrorCode> {
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], options: Pick<DbErrorOptions, 'cause'> = {}) {
    const lines = problems.map(
      ({ field, variable, problem }) =>
        `  ${field}${variable === undefined ? '' : ` (${variable})`}: ${problem}`,
    )
    super('DB_CONFIG', `The database configuration is wrong:\n${lines.join('\n')}`, options)
    this.problems = problems
  }
}
