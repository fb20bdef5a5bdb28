import { RepositoryError } from './errors.ts'

/** The part of a list that is wanted, as Prisma takes it. */
interface Window {
  readonly skip?: number | undefined
  readonly take?: number | undefined
}

/**
 * Refuses what Prisma would take for something else: it drops the fraction of `take`, reads backwards for a
 * negative one, and loses count above 2^53.
 */
export function checkWindow(method: string, window: object | undefined): void {
  const { skip, take }: Window = window ?? {}
  if (skip !== undefined) checkInteger(method, 'skip', skip, 0)
  if (take !== undefined) checkInteger(method, 'take', take, 0)
}

/** @throws RepositoryError DB_REPOSITORY_ARGUMENT unless `value` is a whole number from `min` to `max` */
export function checkInteger(
  method: string,
  name: string,
  value: unknown,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): void {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) return
  const range = max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`
  throw new RepositoryError('DB_REPOSITORY_ARGUMENT', `${method}: ${name} is not a whole number ${range}`)
}
