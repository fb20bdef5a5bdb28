import type { CleanedRow, FilmData } from './clean-film.ts'
import { type Correction, corrections, type Doubt, doubts, type Rejection, rejections } from './findings.ts'

/** What became of every row of a list: `read` is always `loaded` + `alreadyThere` + all of `rejected`. */
export interface LoadReport {
  readonly read: number
  /** Films that this load added. */
  readonly loaded: number
  /** Films that an earlier load had added. */
  readonly alreadyThere: number
  readonly rejected: Readonly<Partial<Record<Rejection, number>>>
  readonly rejectedRows: readonly {
    readonly row: number
    readonly reason: Rejection
    readonly detail?: string
  }[]
  /** Films by what was changed; one film can count in several. */
  readonly corrections: Readonly<Partial<Record<Correction, number>>>
  /** Films by what looks wrong and was kept. */
  readonly doubts: Readonly<Partial<Record<Doubt, number>>>
  /** Films without a value, by field. */
  readonly missing: Readonly<Partial<Record<keyof FilmData, number>>>
}

/** Counts what became of the rows; `loaded` is how many of the films were new to the database. */
export function reportOf(rows: readonly CleanedRow[], loaded: number): LoadReport {
  const films = rows.flatMap(({ film }) => film ?? [])
  const rejectedRows = rows.flatMap(({ row, rejected }) => (rejected ? { row, ...rejected } : []))
  return {
    read: rows.length,
    loaded,
    alreadyThere: films.length - loaded,
    rejected: countBy(rejectedRows.map(({ reason }) => reason)),
    rejectedRows,
    corrections: countBy(rows.flatMap((row) => row.corrections)),
    doubts: countBy(rows.flatMap((row) => row.doubts)),
    missing: countBy(films.flatMap(missingFields)),
  }
}

function missingFields(film: FilmData): (keyof FilmData)[] {
  return (Object.keys(film) as (keyof FilmData)[]).filter((field) => film[field] === null)
}

function countBy<Name extends string>(names: readonly Name[]): Partial<Record<Name, number>> {
  const counts: Partial<Record<Name, number>> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}

/** The report as lines for a terminal. */
export function formatReport(report: LoadReport): readonly string[] {
  const rejected = Object.values(report.rejected).reduce((sum, count) => sum + count, 0)
  const again = report.alreadyThere > 0 ? ` + ${count(report.alreadyThere)} already there` : ''
  return [
    `${count(report.read)} rows read = ${count(report.loaded)} films loaded${again} + ${count(rejected)} rejected`,
    ...section('rejected', report.rejected, rejections),
    ...section('corrected', report.corrections, corrections),
    ...section('kept, but in doubt', report.doubts, doubts),
    `  without a value: ${Object.entries(report.missing)
      .map(([field, number]) => `${field} ${count(number)}`)
      .join(', ')}`,
  ]
}

function section<Name extends string>(
  title: string,
  counts: Readonly<Partial<Record<Name, number>>>,
  texts: Readonly<Record<Name, string>>,
): string[] {
  const names = (Object.keys(counts) as Name[]).sort((a, b) => (counts[b] ?? 0) - (counts[a] ?? 0))
  if (names.length === 0) return []
  return [`  ${title}`, ...names.map((name) => `    ${count(counts[name] ?? 0).padStart(5)}  ${texts[name]}`)]
}

function count(value: number): string {
  return value.toLocaleString('en-US')
}
