import type { NoOversellResult } from '@org/shop/no-oversell'
import type { Figure } from './proof.ts'

/** What several runs of the shop come to: sums of what was counted, medians and worst cases of what was timed. */
export function oversellFigures(results: readonly NoOversellResult[]): readonly Figure[] {
  const sum = (value: (result: NoOversellResult) => number) => results.map(value).reduce((a, b) => a + b, 0)
  const placed = results.map(({ latencyMs }) => latencyMs['order placed'])
  return [
    { name: 'runs', value: results.length },
    { name: 'orders placed', value: sum((result) => result.placed) },
    { name: 'orders refused', value: sum((result) => result.refused) },
    { name: 'orders left open', value: sum((result) => result.unknown) },
    ...answerFigures(results),
    { name: 'backends killed', value: sum(({ killed }) => killed) },
    {
      name: 'throughput, median',
      value: median(results.map((result) => result.placed / (result.elapsedMs / 1_000))),
      unit: 'orders/s',
    },
    { name: 'order placed, p50, median', value: median(placed.map(({ p50 }) => p50)), unit: 'ms' },
    { name: 'order placed, p99, worst', value: Math.max(...placed.map(({ p99 }) => p99)), unit: 'ms' },
  ]
}

/** Each answer to an order other than yes, with how often it was given. */
function answerFigures(results: readonly NoOversellResult[]): readonly Figure[] {
  const counts = new Map<string, number>()
  for (const { answers } of results) {
    for (const [answer, count] of Object.entries(answers)) {
      if (!answer.startsWith('order ') || answer.startsWith('order 201')) continue
      counts.set(answer, (counts.get(answer) ?? 0) + count)
    }
  }
  return [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, value]) => ({ name: `answer to ${name}`, value }))
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  return ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2
}
