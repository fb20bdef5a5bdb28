import { type CleanedRow, cleanFilm, rejectedRow } from './clean-film.ts'

/**
 * Cleans all rows of the list: each by itself, then what only shows when they are compared. The result has as
 * many rows as the list, in its order.
 */
export function cleanList(rows: readonly unknown[]): readonly CleanedRow[] {
  return withoutSharedRatings(withoutDuplicates(rows.map(cleanFilm)))
}

function withoutDuplicates(rows: readonly CleanedRow[]): readonly CleanedRow[] {
  const first = new Map<string, number>()
  return rows.map((row) => {
    const content = JSON.stringify(row.data)
    const earlier = first.get(content)
    if (earlier === undefined) first.set(content, row.row)
    const repeats = earlier !== undefined && row.film !== undefined
    return repeats ? rejectedRow(row.data, row.row, 'duplicate', `row ${earlier}`) : row
  })
}

/** From here on no two films reach the same rating with the same number of votes by chance. */
const tellingVotes = 10_000

/**
 * The ratings were joined to the list by title, so both "Alice in Wonderland" of 1951 and that of 2010 carry the
 * 6.7 from 63,458 votes of one of them. Which one it belongs to can't be told, so neither keeps it.
 */
function withoutSharedRatings(rows: readonly CleanedRow[]): readonly CleanedRow[] {
  const groups = new Map<string, CleanedRow[]>()
  for (const row of rows) {
    const key = ratingKey(row)
    if (key !== undefined) groups.set(key, [...(groups.get(key) ?? []), row])
  }
  const shared = new Set([...groups.values()].filter((group) => group.length > 1).flat())
  return rows.map((row) => {
    if (!row.film || !shared.has(row)) return row
    const film = { ...row.film, imdbRating: null }
    return { ...row, film, corrections: [...row.corrections, 'imdb-rating-shared'] }
  })
}

/** Equal for films that carry one and the same rating; those with few votes must also have one title. */
function ratingKey({ film, data }: CleanedRow): string | undefined {
  if (!film || film.imdbRating === null) return undefined
  const votes = Number((data as { readonly 'IMDB Votes': number | null })['IMDB Votes'])
  return JSON.stringify([film.imdbRating, votes, votes < tellingVotes ? film.title : ''])
}
