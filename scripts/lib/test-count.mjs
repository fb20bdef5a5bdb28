/**
 * The counts that `npm test` closes with, from vitest's JSON report and the steps around it. No failure goes uncounted:
 * a test file that could not be loaded, a step that failed and a test run that broke off are one failure each.
 *
 * @param {object | undefined} report `undefined` when vitest wrote none
 * @param {readonly { name: string, failed: boolean }[]} steps the step that ran vitest is named `Tests`
 */
export function countTests(report, steps) {
  const results = report?.testResults ?? []
  const brokenFiles = results.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  ).length
  const failedTests = (report?.numFailedTests ?? 0) + brokenFiles
  const failedSteps = steps.filter(({ name, failed }) => failed && name !== 'Tests').length
  const testsFailed = steps.some(({ name, failed }) => failed && name === 'Tests')
  return {
    passed: report?.numPassedTests ?? 0,
    failed: failedSteps + (testsFailed ? Math.max(failedTests, 1) : failedTests),
    skipped: (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0),
  }
}
