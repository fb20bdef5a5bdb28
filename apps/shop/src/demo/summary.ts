import type { NoOversellResult } from './no-oversell.ts'
import type { Latency } from './tally.ts'

/** The result as lines for a terminal. */
export function formatResult(result: NoOversellResult): readonly string[] {
  const seconds = result.elapsedMs / 1_000
  const { pool, connections, queries } = result.metrics
  return [
    `Customers       ${text(result.customers)} at the same time for ${seconds.toFixed(1)} s, refused orders given up`,
    `Requests        ${text(result.requests)} (${text(Math.round(result.requests / seconds))}/s)`,
    ...answerLines(result.answers),
    `Orders          ${text(result.placed)} placed (${text(Math.round(result.placed / seconds))}/s), ${text(result.refused)} refused, ${text(result.unknown)} left open`,
    ...Object.entries(result.latencyMs)
      .filter(([, { count }]) => count > 0)
      .map(([kind, latency]) => `  ${kind.padEnd(14)}  ${latencyText(latency)}`),
    `Pool            ${pool.active} active, ${pool.idle} idle, ${pool.waiting} waiting of at most ${pool.max}; ${text(result.mostWaiting)} waited at most`,
    `Connections     ${text(connections.opened)} opened, ${text(connections.closed)} closed, ${text(connections.failed)} not to be had`,
    `Statements      ${text(queries.total)}, ${queries.averageMs.toFixed(1)} ms on average, ${text(queries.slow)} slow, ${text(queries.failed)} failed`,
    `Backends        ${text(result.killed)} killed`,
    '',
    'What the database says',
    ...result.invariants.map(({ holds, name, detail }) => `  ${holds ? '✓' : '✗'} ${name}: ${detail}`),
  ]
}

/** What each answer means to a reader who does not know the API. */
const meanings: readonly (readonly [answer: RegExp, meaning: string])[] = [
  [/^order 201/u, 'placed'],
  [/^order 409/u, 'refused: not enough copies left'],
  [/^order 402/u, 'refused: the payment was declined, everything undone'],
  [/^order 202/u, 'left open: the shop is still at it'],
  [/^order 404/u, 'refused: no such film (asked on purpose)'],
  [/^order 400/u, 'refused: quantity 0 (asked on purpose)'],
  [/OUTCOME_UNKNOWN/u, 'left open: the connection broke during COMMIT'],
  [/no answer/u, 'left open: no answer'],
  [/ 503 TRY_AGAIN/u, 'refused: the database was not available, nothing was changed'],
  [/ 200$/u, 'shown'],
]

function answerLines(answers: NoOversellResult['answers']): string[] {
  return Object.entries(answers).map(([answer, count]) => {
    const meaning = meanings.find(([pattern]) => pattern.test(answer))?.[1] ?? ''
    return `  ${text(count).padStart(8)}    ${answer.padEnd(46)} ${meaning}`.trimEnd()
  })
}

function latencyText({ p50, p99, max, count }: Latency): string {
  return `p50 ${ms(p50)}, p99 ${ms(p99)}, at most ${ms(max)} (${text(count)} requests)`
}

function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : text(Math.round(value))} ms`
}

function text(value: number): string {
  return value.toLocaleString('en-US')
}
