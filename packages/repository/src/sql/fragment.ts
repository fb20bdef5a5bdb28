import { join, Sql } from '@prisma/client/runtime/client'
import { RepositoryError } from '../errors.ts'

/** A piece of SQL with its parameters; put into a tagged template it becomes part of the text, all else a parameter. */
export type Fragment = Pick<Sql, 'sql' | 'values'>

/** A template as JavaScript hands it to a tag. */
export type Template = TemplateStringsArray

/**
 * Makes a piece of SQL: `` const cheap = fragment`price_cents < ${limit}` ``. Values become parameters, never text.
 * @throws RepositoryError DB_REPOSITORY_ARGUMENT when it is called as a function, with text that was put together
 */
export function fragment(template: Template, ...values: readonly unknown[]): Fragment {
  return toSql(template, values)
}

/** How pieces are put together. */
export interface Fragments {
  /** Between them, by default, a comma. */
  readonly separator?: Fragment
}

/** Several pieces, or values as parameters, one behind the other: `` fragment`id IN (${fragments(ids)})` ``. */
export function fragments(parts: readonly unknown[], options: Fragments = {}): Fragment {
  const [first, ...others] = parts
  if (parts.length === 0)
    throw new RepositoryError('DB_REPOSITORY_ARGUMENT', 'There are no fragments to put together')
  const { separator } = options
  if (!separator) return join([...parts] as never[], ', ')
  const strings = ['', ...others.map(() => ' '), '']
  return new Sql(strings, [
    first,
    ...others.map((part) => new Sql(['', ' ', ''], [separator, part] as never[])),
  ] as never[])
}

/** A fragment of text alone, which must not come from outside. */
export function textFragment(text: string): Fragment {
  return new Sql([text], [])
}

/** The template as Prisma takes it. */
export function toSql(template: Template, values: readonly unknown[]): Sql {
  if (!Array.isArray(template) || !Array.isArray(template.raw) || !Object.isFrozen(template)) {
    throw new RepositoryError(
      'DB_REPOSITORY_ARGUMENT',
      'SQL is written as a tagged template, so that values are parameters: query`SELECT …`, not query(text)',
    )
  }
  return new Sql([...template], values as never[])
}
