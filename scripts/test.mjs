#!/usr/bin/env node
// `npm test`: set-up, servers, types, checks and every test; its last line is 'N passed, N failed, N skipped'.
// `npm test -- cache outbox` runs the tests whose path contains one of these words, and neither types nor checks.
// `npm test -- --verbose` shows what the tools print; any other option goes to vitest.
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { check } from './check.mjs'
import { runChild } from './lib/child.mjs'
import { attempt, finishedSteps, run, StepError } from './lib/step.mjs'
import { countTests } from './lib/test-count.mjs'
import { toolFile, turbo } from './lib/tool.mjs'
import { cacheFolder, isMain, readJson, root } from './lib/workspace.mjs'
import { services } from './services.mjs'
import { setup } from './setup.mjs'

const reportFile = join(cacheFolder, 'vitest.json')

async function test(args) {
  const verbose = args.includes('--verbose')
  const filters = args.filter((argument) => argument !== '--verbose')
  const { env: tools } = await setup({ verbose })
  const { env } = await services({ env: tools, verbose })
  if (filters.length === 0) {
    await attempt('Types', () => checkTypes({ env, verbose }))
    await check({ env, verbose })
  }
  rmSync(reportFile, { force: true })
  await attempt('Tests', () => runTests(filters, env), { live: true })
}

async function checkTypes({ env, verbose }) {
  await turbo(['typecheck'], { env, verbose, timeoutMs: 600_000 })
  const scripts = [toolFile('tsc', 'typescript'), '-p', 'scripts']
  await run(process.execPath, scripts, { cwd: root, env, verbose, timeoutMs: 120_000 })
}

async function runTests(filters, env) {
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const args = [toolFile('vitest'), 'run', ...reporters, ...filters]
  const timeoutMs = 1_500_000
  const { code, timedOut } = await runChild(process.execPath, args, {
    cwd: root,
    env,
    output: 'inherit',
    timeoutMs,
  })
  if (timedOut) throw new StepError(`The tests did not end within ${timeoutMs / 60_000} minutes.`)
  if (code !== 0) throw new StepError(`vitest ended with exit code ${code}.`)
}

/** Prints the time of each step and, as the very last line, the counts. */
function summarize() {
  console.log('\nSummary')
  const width = Math.max(...finishedSteps.map(({ name }) => name.length))
  for (const { name, seconds, failed } of finishedSteps) {
    console.log(`  ${name.padEnd(width)} ${seconds.toFixed(1).padStart(7)} s${failed ? '  FAILED' : ''}`)
  }
  console.log('')
  const report = existsSync(reportFile) ? readJson(reportFile) : undefined
  const { passed, failed, skipped } = countTests(report, finishedSteps)
  const otherSteps = finishedSteps.filter((each) => each.failed && each.name !== 'Tests')
  if (otherSteps.length > 0)
    console.log(`Counted as failed too: ${otherSteps.map(({ name }) => name).join(', ')}`)
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
  if (failed > 0) process.exitCode = 1
}

if (isMain(import.meta.url)) {
  try {
    await test(process.argv.slice(2))
  } catch (error) {
    process.exitCode = 1
    if (!(error instanceof StepError)) throw error
  } finally {
    summarize()
  }
}
