import { describe, expect, it } from 'vitest'
import { type Result, toJsonLines, toMarkdown } from '../src/report.ts'

const result: Result = {
  name: 'read-by-id',
  question: {
    title: 'One row.',
    metric: 'throughput',
    baseline: 'prisma',
    plan: { rounds: 7, seconds: 1, concurrency: [1], warmUpSeconds: 1 },
    setup: () => Promise.reject(new Error('not needed here')),
  },
  plan: { rounds: 7, seconds: 1, concurrency: [1], warmUpSeconds: 1 },
  rows: [
    {
      variant: 'ours',
      concurrency: 1,
      median: 5432.1,
      unit: 'ops/s',
      ratio: { median: 1.2345, low: 1.1, high: 1.3 },
      p50Us: 180.4,
      p99Us: 400,
      clientCpuUs: 99.94,
      serverCpuUs: undefined,
    },
  ],
  details: new Map([['ours', 'a repository']]),
  environment: { 'Node.js': '20.20.2' },
  notes: ['Something was left out.'],
}

describe('toJsonLines', () => {
  it('begins with the promised fields and says null for what is unknown', () => {
    const line = JSON.parse(toJsonLines(result))
    expect(Object.keys(line).slice(0, 7)).toEqual([
      'question',
      'variant',
      'concurrency',
      'median',
      'unit',
      'ratio',
      'baseline',
    ])
    expect(line).toMatchObject({ variant: 'ours', ratio: 1.2345, baseline: 'prisma', serverCpuUs: null })
  })
})

describe('toMarkdown', () => {
  it('has a row for the variant, a legend, the notes and the versions, and no column without figures', () => {
    const page = toMarkdown(result)
    expect(page).toContain('| ours | 5,432 | 1.23 | 1.10–1.30 | 180 | 400 | 99.9 |')
    expect(page).toContain('- `ours`: a repository')
    expect(page).toContain('- Something was left out.')
    expect(page).toContain('Node.js 20.20.2')
  })
})
