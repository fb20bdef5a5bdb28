import { describe, expect, it } from 'vitest'
import { cleanFilm } from '../src/films/clean-film.ts'
import { filmRow } from './film-rows.ts'

const clean = (changes: Readonly<Record<string, unknown>>) => cleanFilm(filmRow(changes), 7)

describe('cleanFilm', () => {
  it('takes a flawless row as it is', () => {
    expect(clean({})).toEqual({
      row: 7,
      data: filmRow(),
      film: {
        title: 'The Land Girls',
        releasedOn: new Date('1998-06-12'),
        genre: 'Drama',
        rating: 'R',
        director: 'David Leland',
        distributor: 'Gramercy',
        runningMinutes: 111,
        worldwideGross: 146_083n,
        imdbRating: null,
        priceCents: 999,
      },
      corrections: [],
      doubts: [],
    })
  })

  it.each<[string, unknown, string, string]>([
    ['a number', 1776, '1776', 'title-number'],
    ['an article at its end', 'Boot, Das', 'Das Boot', 'title-article'],
    ['the release year at its end', 'Lolita (1998)', 'Lolita', 'title-year'],
    ['spaces around it and in it', ' The Helix...  Loaded\t', 'The Helix... Loaded', 'spaces'],
    ['Latin-1 read as Mac Roman', 'LÈon', 'Léon', 'encoding'],
    [
      'a fraction read as Mac Roman',
      'The Naked Gun 2Ω: The Smell of Fear',
      'The Naked Gun 2½: The Smell of Fear',
      'encoding',
    ],
    [
      'an ellipsis read as Mac Roman',
      "I Love You Ö Don't Touch Me!",
      "I Love You … Don't Touch Me!",
      'encoding',
    ],
  ])('corrects a title with %s', (_case, written, title, correction) => {
    expect(clean({ Title: written })).toMatchObject({ film: { title }, corrections: [correction] })
  })
  it.each([
    'Alien³',
    'Ri¢hie Ri¢h',
    'Amélie',
    'Österreich',
    'Crouching Tiger, Hidden Dragon',
    'Blade Runner (2049)',
    '東京物語',
    'Me, Myself & Irene',
  ])('leaves the title %s as it is', (title) => {
    expect(clean({ Title: title })).toMatchObject({ film: { title }, corrections: [] })
  })
  it.each([null, '', '  '])('rejects the title %j', (title) => {
    expect(clean({ Title: title })).toMatchObject({ rejected: { reason: 'title-missing' } })
    expect(clean({ Title: title }).film).toBeUndefined()
  })

  it.each([
    ['Dec 15 2039', '1939-12-15', ['release-century']],
    ['Feb 08 2015', '1915-02-08', ['release-century']],
    ['Dec 23 2011', '2011-12-23', []],
    ['Feb 29 2000', '2000-02-29', []],
  ])('reads the release date %s as %s', (written, day, corrections) => {
    // Its rating is left out, because a film of 1915 could not have had it.
    const cleaned = clean({ 'Release Date': written, 'MPAA Rating': null })
    expect(cleaned).toMatchObject({ film: { releasedOn: new Date(day) }, corrections })
  })
  it('keeps a film without a release date', () => {
    expect(clean({ 'Release Date': null })).toMatchObject({ film: { releasedOn: null }, corrections: [] })
  })
  it.each(['Feb 30 1999', 'Jun 12 98', '1998-06-12', '12 Jun 1998', 'Foo 12 1998'])(
    'rejects the release date %s',
    (written) => {
      expect(clean({ 'Release Date': written })).toMatchObject({
        rejected: { reason: 'malformed', detail: 'Release Date' },
      })
    },
  )
  it('doubts release dates that may stand for a year alone, and keeps them', () => {
    expect(clean({ 'Release Date': 'Dec 31 1998' })).toMatchObject({ doubts: ['release-placeholder'] })
    expect(clean({ 'Release Date': 'Jan 01 1998' })).toMatchObject({ doubts: ['release-placeholder'] })
  })

  it('takes a gross of zero for an unknown one', () => {
    expect(clean({ 'Worldwide Gross': 0 })).toMatchObject({
      film: { worldwideGross: null },
      corrections: ['gross-zero'],
    })
  })
  it('removes words that stand for "not known", but not a title made of them', () => {
    const unknown = { 'MPAA Rating': 'Open', Distributor: 'Distributor Unknown', Title: 'Unknown' }
    expect(clean(unknown)).toMatchObject({
      film: { rating: null, distributor: null, title: 'Unknown' },
      corrections: ['unknown'],
    })
  })
  it('makes doubled quotation marks single', () => {
    expect(clean({ Director: 'Jeff ""King Jeff"" Hollins' })).toMatchObject({
      film: { director: 'Jeff "King Jeff" Hollins' },
      corrections: ['quotes'],
    })
  })
  it('doubts a rating that is younger than the film', () => {
    expect(clean({ 'MPAA Rating': 'PG-13', 'Release Date': 'Jun 30 1984' }).doubts).toEqual([
      'rating-predated',
    ])
    expect(clean({ 'MPAA Rating': 'PG-13', 'Release Date': 'Jul 01 1984' }).doubts).toEqual([])
  })
  it('rejects a row of another shape and names all wrong columns', () => {
    expect(clean({ 'IMDB Rating': 11, 'Worldwide Gross': -1, Director: 5 })).toMatchObject({
      rejected: { reason: 'malformed', detail: 'Director, Worldwide Gross, IMDB Rating' },
    })
    expect(cleanFilm(null, 0).rejected).toEqual({ reason: 'malformed', detail: 'the whole row' })
  })
})
