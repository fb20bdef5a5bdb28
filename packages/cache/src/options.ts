import type { OptionProblem } from './errors.ts'
import {
  aBoolean,
  aClock,
  aFunction,
  aText,
  type Check,
  duration,
  isObject,
  models,
  problemsOf,
  problemsOfValue,
  required,
  shaped,
  texts,
  wholeNumber,
} from './option-problems.ts'
import { partialPolicyFields, problemsOfPolicy } from './policy.ts'

// What is wrong with the options of each function, all of it at once.

const driver = required(
  shaped(['read', 'lease', 'write', 'invalidate'], 'must be a driver, such as memoryDriver()'),
)
const cacheFields = { driver, clock: aClock, invalidationWaitMs: duration() }
const invalidationFields = { tags: texts, keys: texts, patterns: texts, everything: aBoolean }
const database = required(shaped(['transaction'], 'must be a database, made by createDatabase()'))
const queue = shaped(['put', 'oldest', 'done', 'pending'], 'must be a queue, such as memoryQueue()')

export const problemsOfCache = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, cacheFields)

export const problemsOfRead = (read: unknown): readonly OptionProblem[] =>
  problemsOfPolicy(read, { further: { tags: texts, load: required(aFunction) } })

export const problemsOfInvalidation = (what: unknown): readonly OptionProblem[] =>
  problemsOf(what, invalidationFields)

export const problemsOfModelInvalidation = (what: unknown): readonly OptionProblem[] =>
  problemsOf(what, { ...invalidationFields, models })

export const problemsOfWarming = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, { concurrency: wholeNumber(1) })

export const problemsOfClosing = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, { drainTimeoutMs: duration() })

export const problemsOfInterceptor = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, {
    ...cacheFields,
    models: modelPolicies,
    raw: (value) =>
      value === 'clear' || value === 'ignore' || typeof value === 'function'
        ? undefined
        : 'must be `clear`, `ignore` or a function that names models',
    varyBy: aFunction,
  })

const modelPolicies: Check = (value, path) => {
  if (!isObject(value)) return 'must be an object with a policy for each model'
  return Object.entries(value).flatMap(([name, policy]) =>
    policy === false
      ? []
      : problemsOfPolicy(policy, { path: `${path}.${name}`, further: { affects: models } }),
  )
}

export function problemsOfView(repository: unknown, options: unknown): readonly OptionProblem[] {
  const ofRepository = problemsOfValue(
    repository,
    required(shaped(['with'], 'must be a repository, with the method `with`')),
    'repository',
  )
  const further = {
    cache: required(isClientCache),
    name: aText,
    models,
    methods: methodPolicies(repository),
    writeThrough: aBoolean,
  }
  return [...ofRepository, ...problemsOfPolicy(options, { further })]
}

const isClientCache: Check = (value) =>
  isObject(value) && isObject(Reflect.get(value, '~inner')) ? undefined : 'must be made by cache()'

function methodPolicies(repository: unknown): Check {
  return (value, path) => {
    if (!isObject(value)) return 'must be an object with a policy for each method'
    return Object.entries(value).flatMap(([name, policy]) => {
      const field = `${path}.${name}`
      const isMethod = isObject(repository) && typeof Reflect.get(repository, name) === 'function'
      const unknown = isMethod ? [] : [{ field, problem: 'is no method of the repository' }]
      if (policy === false) return unknown
      return [...unknown, ...problemsOf(policy, { ...partialPolicyFields, models }, field)]
    })
  }
}

export const problemsOfWriteBehind = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, {
    db: database,
    queue,
    flushMs: duration(1),
    batchSize: wholeNumber(1),
    clock: aClock,
  })

export const problemsOfWrapping = (name: unknown, repository: unknown): readonly OptionProblem[] => [
  ...problemsOfValue(name, required(aText), 'name'),
  ...problemsOfValue(
    repository,
    required(shaped(['with', 'findById', 'update'], 'must be a repository')),
    'repository',
  ),
]
