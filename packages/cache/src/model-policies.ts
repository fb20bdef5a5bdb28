import type { SchemaMetadata } from '@org/db-core'
import { CacheOptionsError, type OptionProblem } from './errors.ts'
import type { CachePolicy } from './policy.ts'

/** How reads of one model are cached. */
export interface ModelPolicy extends CachePolicy {
  /** Models that the database changes by itself when this one changes: by triggers, as views. Default: none. */
  readonly affects?: readonly string[]
}

type Models = Readonly<Record<string, ModelPolicy | false>>

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

/**
 * The names in the schema of models that are named as there or as on the client.
 * @throws CacheOptionsError for a name that is no model's: what it was meant for would never be voided
 */
export function modelsNamed(
  names: readonly string[],
  { metadata, field }: { readonly metadata: SchemaMetadata; readonly field: string },
): readonly string[] {
  const list: unknown = names
  if (!Array.isArray(list)) throw new CacheOptionsError([{ field, problem: 'must be a list of models' }])
  const found = names.map((name) => modelNamed(name, metadata))
  const problems = found.flatMap((model, index) =>
    model === undefined ? [{ field, problem: `${String(names[index])} is no model of the schema` }] : [],
  )
  if (problems.length > 0) throw new CacheOptionsError(problems)
  return found.filter((model) => model !== undefined)
}

/** The model that is called so: `Film`, or `film` as on the client. */
function modelNamed(name: string, metadata: SchemaMetadata): string | undefined {
  if (Object.hasOwn(metadata.models, name)) return name
  return Object.entries(metadata.models).find(([, { delegate }]) => delegate === name)?.[0]
}
