import type { Findings } from './findings.ts'
import { cleanText } from './text.ts'

const articleAtEnd = /^(.+), (The|A|An|Das|Der|Die|Les|Le|La|El|Il)$/u
const yearAtEnd = /^(.+) \((\d{4})\)$/u

/** Cleans a title; `null` means that there is none. A year is taken out of it if it is `releaseYear`. */
export function cleanTitle(
  value: string | number | null,
  releaseYear: number | undefined,
  findings: Findings,
): string | null {
  if (typeof value === 'number') findings.corrections.add('title-number')
  let title = cleanText(value === null ? null : String(value), findings)
  if (title === null) return null

  const [, beforeYear, year] = yearAtEnd.exec(title) ?? []
  if (beforeYear !== undefined && Number(year) === releaseYear) {
    findings.corrections.add('title-year')
    title = beforeYear
  }
  const [, name, article] = articleAtEnd.exec(title) ?? []
  if (name !== undefined && article !== undefined) {
    findings.corrections.add('title-article')
    title = `${article} ${name}`
  }
  return title
}
