import { describe, expect, it } from 'vitest'
import { countTests } from '../lib/test-count.mjs'

const done = [
  { name: 'Types', failed: false },
  { name: 'Tests', failed: false },
]
const report = { numPassedTests: 7, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] }

describe('countTests', () => {
  it('takes the counts from the report', () => {
    expect(countTests(report, done)).toEqual({ passed: 7, failed: 0, skipped: 3 })
  })

  it('counts a file that could not be loaded', () => {
    const testResults = [{ status: 'failed', assertionResults: [] }]
    const steps = [{ name: 'Tests', failed: true }]
    expect(countTests({ ...report, testResults }, steps).failed).toBe(1)
  })

  it('counts a run that broke off or failed after its tests', () => {
    const steps = [{ name: 'Tests', failed: true }]
    expect(countTests(undefined, steps)).toEqual({ passed: 0, failed: 1, skipped: 0 })
    expect(countTests(report, steps).failed).toBe(1)
  })

  it('counts other failed steps beside failed tests', () => {
    const steps = [
      { name: 'Types', failed: true },
      { name: 'Tests', failed: true },
    ]
    expect(countTests({ ...report, numFailedTests: 3 }, steps).failed).toBe(4)
  })
})
