import type { Findings } from './findings.ts'
import { cleanKnownText } from './text.ts'

/** `Open` is the state of a film that has not been rated yet. */
const undecided = /^open$/iu

/** When the ratings were introduced. https://en.wikipedia.org/wiki/Motion_Picture_Association_film_rating_system */
const introduced: Readonly<Record<string, string>> = {
  G: '1968-11-01',
  R: '1968-11-01',
  PG: '1968-11-01',
  'PG-13': '1984-07-01',
  'NC-17': '1990-09-26',
}

/** Cleans an MPAA rating, and doubts one that is younger than the film. */
export function cleanRating(
  value: string | null,
  releasedOn: Date | undefined,
  findings: Findings,
): string | null {
  const rating = cleanKnownText(value, undecided, findings)
  const since = rating === null ? undefined : introduced[rating]
  if (since !== undefined && releasedOn !== undefined && releasedOn < new Date(since)) {
    findings.doubts.add('rating-predated')
  }
  return rating
}
