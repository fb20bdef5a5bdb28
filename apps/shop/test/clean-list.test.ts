import { describe, expect, it } from 'vitest'
import { cleanList } from '../src/films/clean-list.ts'
import { readFilmList } from '../src/films/film-list.ts'
import { formatReport, reportOf } from '../src/films/load-report.ts'
import { filmRow } from './film-rows.ts'

let director = 0
// No two rows are alike, so none is rejected as a duplicate.
const rated = (title: string, votes: number, rating = 6.7) =>
  filmRow({ Title: title, 'IMDB Rating': rating, 'IMDB Votes': votes, Director: `Director ${director++}` })
const ratings = (rows: readonly unknown[]) => cleanList(rows).map(({ film }) => film?.imdbRating)

describe('cleanList', () => {
  it('rejects a row that repeats an earlier one', () => {
    const [first, second, third] = cleanList([filmRow(), filmRow({ Director: null }), filmRow()])
    expect([first?.rejected, second?.rejected]).toEqual([undefined, undefined])
    expect(third?.rejected).toEqual({ reason: 'duplicate', detail: 'row 0' })
  })
  it('keeps films of one title that differ', () => {
    const rows = [filmRow({ 'Release Date': 'Jul 28 1951' }), filmRow({ 'Release Date': 'Mar 05 2010' })]
    expect(cleanList(rows).every(({ film }) => film !== undefined)).toBe(true)
  })
  it('takes a rating from films of one title that share it', () => {
    const remakes = [51, 97].map((year) => ({ ...rated('The Fog', 40), 'Release Date': `Feb 01 19${year}` }))
    expect(ratings(remakes)).toEqual([null, null])
  })
  it('takes a rating from films that share it to the last of many votes', () => {
    expect(ratings([rated('Jurassic Park', 10_000), rated('Jurassic Park 3', 10_000)])).toEqual([null, null])
  })
  it('leaves ratings that are alike by chance', () => {
    expect(ratings([rated('A', 466), rated('B', 466)])).toEqual([6.7, 6.7])
    expect(ratings([rated('A', 20_000, 7), rated('A', 20_000, 8)])).toEqual([7, 8])
  })
})

describe('the list of vega-datasets', () => {
  it('is 3,201 rows, of which one is no film that can be sold', async () => {
    const rows = cleanList(await readFilmList())
    const report = reportOf(rows, 3_200)
    expect(report).toEqual({
      read: 3_201,
      loaded: 3_200,
      alreadyThere: 0,
      rejected: { 'title-missing': 1 },
      rejectedRows: [{ row: 3_053, reason: 'title-missing' }],
      corrections: {
        'title-number': 9,
        'title-article': 6,
        'title-year': 3,
        encoding: 18,
        spaces: 2,
        quotes: 1,
        unknown: 3,
        'release-century': 22,
        'gross-zero': 47,
        'imdb-rating-shared': 58,
      },
      doubts: { 'release-placeholder': 105, 'rating-predated': 19 },
      missing: expect.objectContaining({ genre: 275, director: 1_330 }),
    })
    expect(formatReport(report)[0]).toBe('3,201 rows read = 3,200 films loaded + 1 rejected')
  })
  it('has no release date after its own time and no title with a trace of the wrong decoding', async () => {
    const films = cleanList(await readFilmList()).flatMap(({ film }) => film ?? [])
    expect(films.every(({ releasedOn }) => releasedOn && releasedOn < new Date('2012-01-01'))).toBe(true)
    expect(films.filter(({ title }) => /[^\x20-\x7e\u00a0-\u00ff…]/u.test(title))).toEqual([])
    expect(films.filter(({ title }) => /\p{Ll}[À-Ý]/u.test(title))).toEqual([])
  })
})
