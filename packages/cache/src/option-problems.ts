import { CacheOptionsError, type OptionProblem } from './errors.ts'

/** Says what is wrong with a value, or which fields of it; nothing where it is right. */
export type Check = (value: unknown, path: string) => string | readonly OptionProblem[] | undefined

/** The fields of an object, with what each must be. What is `undefined` is right unless `required` says otherwise. */
export type Fields = Readonly<Record<string, Check>>

/** Throws when there are problems, naming them all. @throws CacheOptionsError */
export function checked(problems: readonly OptionProblem[]): void {
  if (problems.length > 0) throw new CacheOptionsError(problems)
}

/** Everything that is wrong with an object of options, unknown fields included. */
export function problemsOf(options: unknown, fields: Fields, path = ''): readonly OptionProblem[] {
  if (!isObject(options)) return [{ field: path || 'options', problem: 'must be an object' }]
  const known = Object.keys(fields)
  const unknown = Object.keys(options)
    .filter((field) => !Object.hasOwn(fields, field))
    .map((field) => ({ field: join(path, field), problem: `is no option; known are ${known.join(', ')}` }))
  const wrong = known.flatMap((field) =>
    problemsOfValue(Reflect.get(options, field), fields[field] as Check, join(path, field)),
  )
  return [...unknown, ...wrong]
}

/** What is wrong with one value. */
export function problemsOfValue(value: unknown, check: Check, path: string): readonly OptionProblem[] {
  if (value === undefined && !requiring.has(check)) return []
  const found = check(value, path) ?? []
  return typeof found === 'string' ? [{ field: path, problem: found }] : found
}

const requiring = new WeakSet<Check>()

/** The same check for a value that must be there. */
export function required(check: Check): Check {
  const strict: Check = (value, path) => (value === undefined ? 'is required' : check(value, path))
  requiring.add(strict)
  return strict
}

export function duration(minMs = 0): Check {
  return (value) =>
    Number.isFinite(value) && (value as number) >= minMs
      ? undefined
      : `must be a number of milliseconds, at least ${minMs}`
}

export function wholeNumber(min: number): Check {
  return (value) =>
    Number.isInteger(value) && (value as number) >= min
      ? undefined
      : `must be a whole number, at least ${min}`
}

export function oneOf(...values: readonly unknown[]): Check {
  return (value) => (values.includes(value) ? undefined : `must be one of ${values.join(', ')}`)
}

/** An object that has these methods. */
export function shaped(methods: readonly string[], problem: string): Check {
  return (value) =>
    isObject(value) && methods.every((name) => typeof Reflect.get(value, name) === 'function')
      ? undefined
      : problem
}

export function objectOf(fields: Fields): Check {
  return (value, path) => problemsOf(value, fields, path)
}

export const aFunction: Check = (value) => (typeof value === 'function' ? undefined : 'must be a function')
export const aBoolean: Check = (value) => (typeof value === 'boolean' ? undefined : 'must be true or false')
export const aText: Check = (value) =>
  typeof value === 'string' && value !== '' ? undefined : 'must be a text that is not empty'
/** What begins keys and channels in Redis. */
export const aPrefix: Check = (value) =>
  typeof value === 'string' && /^[\w-]+$/.test(value) ? undefined : 'must consist of letters, digits, - and _'
export const texts: Check = (value) =>
  Array.isArray(value) && value.every((each) => typeof each === 'string')
    ? undefined
    : 'must be a list of texts'
export const models: Check = (value) =>
  texts(value, '') === undefined ? undefined : 'must be a list of models'
export const aClock: Check = shaped(['now', 'sleep'], 'must be a clock, with `now` and `sleep`')

export function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function join(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`
}
