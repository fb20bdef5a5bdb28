import type { Findings } from './findings.ts'
import { decodeAgain } from './mac-roman.ts'

/** Cleans a text of the list; one that says nothing becomes `null`. */
export function cleanText(value: string | null, { corrections }: Findings): string | null {
  if (value === null) return null
  const decoded = decodeAgain(value)
  if (decoded !== value) corrections.add('encoding')
  const unquoted = decoded.replaceAll('""', '"')
  if (unquoted !== decoded) corrections.add('quotes')
  const spaced = unquoted.replace(/\s+/gu, ' ').trim()
  if (spaced !== unquoted) corrections.add('spaces')
  return spaced === '' ? null : spaced
}

/** Like `cleanText`; `unknown` matches the words that the column uses for "not known". */
export function cleanKnownText(value: string | null, unknown: RegExp, findings: Findings): string | null {
  const text = cleanText(value, findings)
  if (text === null || !unknown.test(text)) return text
  findings.corrections.add('unknown')
  return null
}
