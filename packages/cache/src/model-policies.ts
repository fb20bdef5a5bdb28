import type { SchemaMetadata } from '@org/db-core'
import type { OptionProblem } from './errors.ts'
import type { CacheInterceptorOptions, ModelPolicy } from './interceptor.ts'
import { problemsOfPolicy } from './policy.ts'

type Models = NonNullable<CacheInterceptorOptions['models']>

/** What is wrong with the options, as far as that can be told without the schema. */
export function policyProblems(models: Models, raw: unknown): readonly OptionProblem[] {
  const problems = Object.entries(models).flatMap(([name, policy]) => {
    if (policy === false) return []
    const { affects, ...life } = policy ?? {}
    const found = problemsOfPolicy(policy && (life as ModelPolicy), `models.${name}.`)
    return affects === undefined || Array.isArray(affects)
      ? found
      : [...found, { field: `models.${name}.affects`, problem: 'must be a list of models' }]
  })
  if (raw !== 'clear' && raw !== 'ignore' && typeof raw !== 'function') {
    problems.push({ field: 'raw', problem: 'must be `clear`, `ignore` or a function that names models' })
  }
  return problems
}

/** Names that the schema does not know. */
export function modelProblems(models: Models, metadata: SchemaMetadata): readonly OptionProblem[] {
  const problem = 'is no model of the schema'
  return Object.entries(models).flatMap(([name, policy]) => [
    ...(name === '*' || modelNamed(name, metadata) ? [] : [{ field: `models.${name}`, problem }]),
    ...(policy === false ? [] : (policy.affects ?? []))
      .filter((each) => !modelNamed(each, metadata))
      .map((each) => ({ field: `models.${name}.affects`, problem: `${each} ${problem}` })),
  ])
}

/** The policy of each model that has one, models by their names in the schema. */
export function policiesByModel(models: Models, metadata: SchemaMetadata): Map<string, ModelPolicy> {
  const policies = new Map<string, ModelPolicy>()
  const add = (model: string, policy: ModelPolicy | false | undefined): void => {
    if (!policy) return void policies.delete(model)
    const affects = policy.affects?.map((each) => modelNamed(each, metadata) ?? each)
    policies.set(model, affects ? { ...policy, affects } : policy)
  }
  if (models['*']) for (const model of Object.keys(metadata.models)) add(model, models['*'])
  for (const [name, policy] of Object.entries(models)) {
    const model = modelNamed(name, metadata)
    if (model !== undefined) add(model, policy)
  }
  return policies
}

/** The model that is called so: `Film`, or `film` as on the client. */
function modelNamed(name: string, metadata: SchemaMetadata): string | undefined {
  if (Object.hasOwn(metadata.models, name)) return name
  return Object.entries(metadata.models).find(([, { delegate }]) => delegate === name)?.[0]
}
