import type { ConfigProblem } from '../config-error.ts'
import { ConfigError } from '../config-error.ts'
import { type Interceptor, stages } from '../operation.ts'

/** @throws ConfigError naming every entry of `use` that is no interceptor, and what it lacks */
export function checkUse(use: readonly Interceptor[]): void {
  const problems = use.flatMap((entry, index) => problemsOf(entry, `use[${index}]`))
  if (problems.length > 0) throw new ConfigError(problems)
}

function problemsOf(entry: unknown, field: string): readonly ConfigProblem[] {
  if (typeof entry !== 'object' || entry === null) return [{ field, problem: 'must be an interceptor' }]
  const { name, stage, intercept, attach } = entry as Readonly<Record<string, unknown>>
  const isNamed = typeof name === 'string' && name !== ''
  const of = isNamed ? ` (in the interceptor ${name})` : ''
  return [
    ...(isNamed ? [] : [{ field: `${field}.name`, problem: 'must be a text that is not empty' }]),
    ...((stages as readonly unknown[]).includes(stage)
      ? []
      : [{ field: `${field}.stage`, problem: `must be one of ${stages.join(', ')}${of}` }]),
    ...(typeof intercept === 'function'
      ? []
      : [{ field: `${field}.intercept`, problem: `must be a function${of}` }]),
    ...(attach === undefined || typeof attach === 'function'
      ? []
      : [{ field: `${field}.attach`, problem: `must be a function where it is given${of}` }]),
  ]
}
