import type { Findings } from './findings.ts'

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const shape = /^([A-Z][a-z]{2}) (\d{2}) (\d{4})$/u

/** The list was made in autumn 2010 and announces films until December 2011. */
const lastYear = 2011

/**
 * Reads a date such as `Jun 12 1998` as midnight UTC. Years after 2011 come from years with two digits, so
 * they are a century too late. `undefined` means that this is no date.
 */
export function parseReleaseDate(value: string, findings: Findings): Date | undefined {
  const [, name = '', day, written] = shape.exec(value) ?? []
  const month = months.indexOf(name)
  if (month < 0) return undefined
  const late = Number(written) > lastYear
  const date = new Date(Date.UTC(Number(written) - (late ? 100 : 0), month, Number(day)))
  // 30 February would have become 1 or 2 March.
  if (date.getUTCMonth() !== month || date.getUTCDate() !== Number(day)) return undefined
  if (late) findings.corrections.add('release-century')
  if (/^(Dec 31|Jan 01)/u.test(value)) findings.doubts.add('release-placeholder')
  return date
}
