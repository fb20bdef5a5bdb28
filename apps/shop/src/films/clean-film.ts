import { type FilmRow, filmRow } from './film-row.ts'
import type { Correction, Doubt, Findings, Rejection } from './findings.ts'
import { cleanRating } from './mpaa-rating.ts'
import { priceCents } from './price.ts'
import { parseReleaseDate } from './release-date.ts'
import { cleanKnownText, cleanText } from './text.ts'
import { cleanTitle } from './title.ts'

/** What the shop keeps of a film of the list. */
export interface FilmData {
  readonly title: string
  /** Midnight UTC of the day. */
  readonly releasedOn: Date | null
  readonly genre: string | null
  readonly rating: string | null
  readonly director: string | null
  readonly distributor: string | null
  readonly runningMinutes: number | null
  /** In US dollars. */
  readonly worldwideGross: bigint | null
  /** From 1 to 10. */
  readonly imdbRating: number | null
  readonly priceCents: number
}

/** What became of one row. */
export interface CleanedRow {
  /** Position in the list, counted from 0. */
  readonly row: number
  /** The row as it came. */
  readonly data: unknown
  /** Absent when the row was rejected. */
  readonly film?: FilmData
  readonly corrections: readonly Correction[]
  readonly doubts: readonly Doubt[]
  readonly rejected?: { readonly reason: Rejection; readonly detail?: string }
}

const unknownDistributor = /^(distributor )?unknown$/iu

/** Makes a film of one row by what the row itself says; what only all rows together tell is `cleanList`'s. */
export function cleanFilm(data: unknown, row: number): CleanedRow {
  const parsed = filmRow.safeParse(data)
  if (!parsed.success) {
    const columns = new Set(parsed.error.issues.map(({ path }) => String(path[0] ?? 'the whole row')))
    return rejectedRow(data, row, 'malformed', [...columns].join(', '))
  }
  const findings: Findings = { corrections: new Set(), doubts: new Set() }
  const written = cleanText(parsed.data['Release Date'], findings)
  const releasedOn = written === null ? undefined : parseReleaseDate(written, findings)
  if (written !== null && releasedOn === undefined) return rejectedRow(data, row, 'malformed', 'Release Date')
  const title = cleanTitle(parsed.data.Title, releasedOn?.getUTCFullYear(), findings)
  if (title === null) return rejectedRow(data, row, 'title-missing')
  const film = toFilm(parsed.data, title, releasedOn, findings)
  return { row, data, film, corrections: [...findings.corrections], doubts: [...findings.doubts] }
}

function toFilm(row: FilmRow, title: string, releasedOn: Date | undefined, findings: Findings): FilmData {
  return {
    title,
    releasedOn: releasedOn ?? null,
    genre: cleanText(row['Major Genre'], findings),
    rating: cleanRating(row['MPAA Rating'], releasedOn, findings),
    director: cleanText(row.Director, findings),
    distributor: cleanKnownText(row.Distributor, unknownDistributor, findings),
    runningMinutes: row['Running Time min'],
    worldwideGross: cleanGross(row['Worldwide Gross'], findings),
    imdbRating: row['IMDB Rating'],
    priceCents: priceCents(releasedOn),
  }
}

function cleanGross(value: number | null, { corrections }: Findings): bigint | null {
  // "12 Angry Men" did not earn nothing: zero is what the list says where it has no figure.
  if (value === 0) corrections.add('gross-zero')
  return value === null || value === 0 ? null : BigInt(value)
}

/** A row of which no film is made. */
export function rejectedRow(data: unknown, row: number, reason: Rejection, detail?: string): CleanedRow {
  const rejected = detail === undefined ? { reason } : { reason, detail }
  return { row, data, corrections: [], doubts: [], rejected }
}
