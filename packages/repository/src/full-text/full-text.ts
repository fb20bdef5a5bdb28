import type { FindManyOptions, ModelName, Scalars, UniqueKey, Without } from '../client-types.ts'
import { RepositoryError } from '../errors.ts'
import { extraOf } from '../extra.ts'
import type { RepositoryLike } from '../inner.ts'
import type { MapperLike } from '../mapper.ts'
import type { Exact, Result, Unmapped } from '../repository-types.ts'
import { checkInteger } from '../window.ts'
import { createIndex } from './matches.ts'
import { searchRows } from './search.ts'

/** The fields whose values are texts. */
type TextField<C, M> = TextOf<Scalars<C, M>> & string
type TextOf<S> = { [F in keyof S]: [NonNullable<S[F]>] extends [string] ? F : never }[keyof S]

/** Where and how a repository's texts are searched. */
export interface FullTextSetup<Field extends string> {
  /** The `tsvector` column, see `fullTextColumn`. Default `search`. */
  readonly column?: string
  /** A text search configuration of PostgreSQL, that of the column. Default `english`. */
  readonly language?: string
  /** Fields whose text is returned with the found words marked. Default: none. */
  readonly highlight?: readonly Field[]
}

/** What is searched for, and what to return of each row. */
export type FullTextOptions<C, M> = Without<
  FindManyOptions<C, M>,
  'orderBy' | 'distinct' | 'skip' | 'take'
> & {
  /** As people type it: `space "red planet" -war or moon`. No text is a wrong one. */
  readonly query: string
  /** Rows to leave out, the best ones. Default 0. */
  readonly skip?: number
  /** Rows to return; at most the repository's `maxPageSize`. Default 20. */
  readonly take?: number
  /** Another language for this query, if the column holds words of several. Default: that of the setup. */
  readonly language?: string
}

/** One row that was found. */
export interface FullTextMatch<T, Field extends string> {
  readonly item: T
  /** How well it fits, from 0 to 1: `ts_rank_cd` with its flag 32. */
  readonly rank: number
  /**
   * HTML of passages around the words found, each within `<mark>`; everything else is escaped, so it can be shown as it
   * is. `null` where the field is null.
   */
  readonly highlights: { readonly [F in Field]: string | null }
}

/** Full-text search in one repository. */
export interface FullText<C, M extends string, Mapping, Field extends string> {
  /**
   * The rows that hold the words, best first, and that the filter lets pass; equal ranks in the order of the key.
   * Interceptors see the reading of the rows as `findMany`, so what they hide is not found.
   */
  find<A extends Unmapped<Mapping, FullTextOptions<C, M>>>(
    options: Exact<A, Unmapped<Mapping, FullTextOptions<C, M>>>,
  ): Promise<FullTextMatch<Result<C, M, Mapping, A>, Field>[]>
}

interface Wanted {
  readonly query: unknown
  readonly skip?: number
  readonly take?: number
  readonly language?: string
}

/**
 * Adds full-text search by PostgreSQL to a repository of a `Database`:
 * `fullText(films, { highlight: ['title'] }).find({ query: 'red planet' })`.
 * @throws RepositoryError DB_REPOSITORY_CONFIG for a plain client, or one without metadata
 */
export function fullText<
  C extends object,
  M extends ModelName<C>,
  Mapping extends MapperLike | undefined,
  K extends UniqueKey<C, M>,
  Field extends TextField<C, M> = never,
>(
  repository: RepositoryLike<C, M, Mapping, K>,
  setup: FullTextSetup<Field> = {},
): FullText<C, M, Mapping, Field> {
  const { access, maxPageSize, call } = repository['~inner']
  const own = access.binding
  const index = createIndex(access, setup)
  const methods: FullText<C, M, Mapping, Field> = {
    find: (options) =>
      call({ action: 'fullTextFind', kind: 'read' }, [options], (given) => {
        const { query, skip = 0, take, language, ...rest } = given as unknown as Wanted
        const limit = take ?? Math.min(20, maxPageSize)
        const method = `${access.model}.fullTextFind`
        checkInteger(method, 'take', limit, 1, maxPageSize)
        checkInteger(method, 'skip', skip, 0)
        if (typeof query !== 'string') {
          throw new RepositoryError('DB_REPOSITORY_ARGUMENT', `${method} was given no query`)
        }
        // `using` may have brought another database.
        const at = access.binding === own ? index : createIndex(access, setup)
        return searchRows({ access, index: at, query, language, options: rest, skip, take: limit })
      }) as Promise<never>,
  }
  return extraOf(repository, methods, (view) => fullText(view, setup))
}
