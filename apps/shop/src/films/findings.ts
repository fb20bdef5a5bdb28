/** What the cleaning changed, and what the load report says of it. */
export const corrections = {
  'title-number': 'titles stored as numbers became text (1776, 300)',
  'title-article': 'articles moved from the end of the title to its front ("Boot, Das")',
  'title-year': 'years taken out of the title that repeat the release year ("Lolita (1962)")',
  encoding: 'texts decoded again: Latin-1 had been read as Mac Roman ("LÈon")',
  spaces: 'texts trimmed, runs of spaces made one',
  quotes: 'doubled quotation marks of a CSV file made single',
  unknown: 'words that stand for "not known" removed (distributor "Distributor Unknown", rating "Open")',
  'release-century': 'release dates moved from the 21st to the 20th century ("Gone with the Wind", 2039)',
  'gross-zero': 'grosses of zero removed: nobody counted them',
  'imdb-rating-shared':
    'IMDB ratings removed that several films share to the last vote: namesakes were mixed up',
} as const

/** The name of a correction. */
export type Correction = keyof typeof corrections

/** What looks wrong and was kept, because nothing in the list says what would be right. */
export const doubts = {
  'release-placeholder': 'released on 31 December or 1 January, which may stand for a year alone',
  'rating-predated':
    'rated by a system that did not exist at the release: of a later release, or of a namesake',
} as const

/** The name of a doubt. */
export type Doubt = keyof typeof doubts

/** Why no film was made of a row. */
export const rejections = {
  malformed: 'not the shape of a film',
  'title-missing': 'no title: it cannot be sold',
  duplicate: 'the same as an earlier row',
} as const

/** The name of a rejection. */
export type Rejection = keyof typeof rejections

/** What was found in one row while it was cleaned. */
export interface Findings {
  readonly corrections: Set<Correction>
  readonly doubts: Set<Doubt>
}
