/** One page as a walk sees it: ids in the direction of the walk. */
export interface Page {
  readonly ids: readonly number[]
  /** Where the next page begins; `undefined` on the last one. */
  readonly next: string | null | undefined
}

/** The ids of all pages. */
export interface Walked {
  readonly ids: readonly number[]
  readonly pages: number
  readonly direction: Direction
}

type Direction = 'forwards' | 'backwards'

/** Reads page after page until there is none. */
export async function walk(
  read: (cursor: string | null, direction: Direction) => Promise<Page>,
  direction: Direction,
): Promise<Walked> {
  const ids: number[] = []
  let pages = 0
  let cursor: string | null | undefined = null
  while (cursor !== undefined) {
    const page: Page = await read(cursor, direction)
    ids.push(...page.ids)
    cursor = page.next
    pages += 1
  }
  return { ids, pages, direction }
}
