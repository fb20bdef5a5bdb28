import type { Plan, Question } from './question.ts'
import type { Row } from './runner.ts'

/** Everything that a result consists of. */
export interface Result {
  /** The question's name, as on the command line. */
  readonly name: string
  readonly question: Question
  readonly plan: Plan
  readonly rows: readonly Row[]
  /** Details of the variants, by name. */
  readonly details: ReadonlyMap<string, string>
  readonly environment: Readonly<Record<string, string>>
  readonly notes: readonly string[]
}

/** The result as one object a line. */
export function toJsonLines(result: Result): string {
  return result.rows
    .map((row) =>
      JSON.stringify({
        question: result.name,
        variant: row.variant,
        concurrency: row.concurrency,
        median: round(row.median),
        unit: row.unit,
        ratio: round(row.ratio.median),
        baseline: result.question.baseline,
        ratioLow: round(row.ratio.low),
        ratioHigh: round(row.ratio.high),
        p50Us: round(row.p50Us),
        p99Us: round(row.p99Us),
        clientCpuUs: round(row.clientCpuUs),
        serverCpuUs: round(row.serverCpuUs),
        rounds: result.plan.rounds,
        seconds: result.plan.seconds,
        environment: result.environment,
      }),
    )
    .join('\n')
}

/** The result as a Markdown page. */
export function toMarkdown(result: Result): string {
  const { question, plan } = result
  return [
    `# ${result.name}`,
    question.title,
    ...plan.concurrency.flatMap((concurrency) => [
      `## Concurrency ${concurrency}`,
      table(result, concurrency),
    ]),
    `${plan.rounds} rounds of ${plan.seconds} s, variants in turn. Medians over the rounds; the ratio to \`${question.baseline}\` is taken round by round, and half of the rounds lie in the range behind it. ${direction(question)}`,
    [...result.details].map(([name, detail]) => `- \`${name}\`: ${detail}`).join('\n'),
    ...(result.notes.length > 0 ? [result.notes.map((note) => `- ${note}`).join('\n')] : []),
    Object.entries(result.environment)
      .map(([name, value]) => `${name} ${value}`)
      .join(' · '),
  ].join('\n\n')
}

function direction(question: Question): string {
  return question.metric === 'throughput' ? 'More is better.' : 'Less is better.'
}

function table(result: Result, concurrency: number): string {
  const rows = result.rows.filter((row) => row.concurrency === concurrency)
  const digits = digitsOf(result)
  const columns: readonly (readonly [name: string, cell: (row: Row) => string])[] = [
    ['variant', (row) => row.variant],
    [rows[0]?.unit ?? '', (row) => shown(row.median)],
    ['ratio', ({ ratio }) => ratio.median.toFixed(digits)],
    ['half of the rounds', ({ ratio }) => `${ratio.low.toFixed(digits)}–${ratio.high.toFixed(digits)}`],
    ['p50 µs', (row) => shown(row.p50Us)],
    ['p99 µs', (row) => shown(row.p99Us)],
    ['client CPU µs/op', (row) => shown(row.clientCpuUs)],
    ['server CPU µs/op', (row) => shown(row.serverCpuUs)],
  ]
  // A column without a single figure says nothing.
  const used = columns.filter(([, cell]) => rows.some((row) => cell(row) !== unknown))
  const lines = [
    used.map(([name]) => name),
    used.map((_, index) => (index === 0 ? '---' : '---:')),
    ...rows.map((row) => used.map(([, cell]) => cell(row))),
  ]
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
}

/** Paired slices of CPU time support a third digit, wall time on a shared machine hardly the second. */
function digitsOf(result: Result): number {
  return result.question.metric === 'client-cpu' ? 3 : 2
}

const unknown = '–'

function shown(value: number | undefined): string {
  if (value === undefined || Number.isNaN(value)) return unknown
  return value >= 100 ? Math.round(value).toLocaleString('en-US') : value.toFixed(1)
}

function round(value: number | undefined): number | null {
  return value === undefined || Number.isNaN(value) ? null : Number(value.toPrecision(5))
}
