import type { Outcome } from './run.ts'

/** The outcome for a reader: checks, figures and, as the last line, the count. */
export function toText({ checks, figures, ...counts }: Outcome): string {
  const width = Math.max(0, ...figures.map(({ name }) => name.length))
  return [
    ...checks.map(({ name, passed, detail }) => {
      const line = `${passed ? 'passed' : 'FAILED'}  ${name}`
      return detail === undefined ? line : `${line}: ${detail}`
    }),
    '',
    ...figures.map(({ name, value, unit }) =>
      `${name.padEnd(width)}  ${shown(value)} ${unit ?? ''}`.trimEnd(),
    ),
    '',
    summary(counts),
  ].join('\n')
}

/** The outcome as one object a line. */
export function toJsonLines(proof: string, { checks, figures, passed, failed }: Outcome): string {
  return [
    ...checks.map((check) => ({ proof, kind: 'check', ...check })),
    ...figures.map((figure) => ({ proof, kind: 'figure', ...figure })),
    { proof, kind: 'summary', passed, failed },
  ]
    .map((line) => JSON.stringify(line))
    .join('\n')
}

/** `3 passed, 0 failed` */
export function summary({ passed, failed }: Pick<Outcome, 'passed' | 'failed'>): string {
  return `${passed} passed, ${failed} failed`
}

function shown(value: number | string): string {
  return typeof value === 'number' ? value.toLocaleString('en-US', { maximumFractionDigits: 2 }) : value
}
