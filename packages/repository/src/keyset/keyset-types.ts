import type { FindManyOptions, Scalars, Without } from '../client-types.ts'

/** Which page of which list, and what to return of each row. */
export type KeysetOptions<C, M> = Without<FindManyOptions<C, M>, 'orderBy' | 'skip' | 'take' | 'distinct'> &
  KeysetWindow & {
    /** Columns in the order of their weight; the primary key is added. Default: the primary key. */
    readonly orderBy?: KeysetOrder<C, M> | readonly KeysetOrder<C, M>[]
  }

/** A column to order by. A nullable one may say where nulls stand; else they count as greater than everything. */
export type KeysetOrder<C, M> = OrderOf<Scalars<C, M>>
type OrderOf<S> = { readonly [F in keyof S as Ordered<S[F]> extends true ? F : never]?: SortOf<S[F]> }
type Ordered<T> = [NonNullable<T>] extends [string | number | bigint | boolean | Date | { toFixed(): string }]
  ? true
  : false
type SortOf<T> =
  | Sort
  | ([null] extends [T] ? { readonly sort: Sort; readonly nulls: 'first' | 'last' } : never)
type Sort = 'asc' | 'desc'

interface KeysetWindow {
  /** The `endCursor` of a page: what comes behind it. Default: from the start. */
  readonly after?: string | null
  /** The `startCursor` of a page: what comes before it. Not together with `after`. */
  readonly before?: string | null
  /** Where to begin without a cursor; `end` gives the last page. Default `start`. */
  readonly from?: 'start' | 'end'
  /** Rows on the page; at most the repository's `maxPageSize`. Default 20. */
  readonly pageSize?: number
  /**
   * Counts all rows of the list too: `true` for all, a number to count up to that many, which bounds what it costs.
   * Default `false`.
   */
  readonly total?: boolean | number
}
