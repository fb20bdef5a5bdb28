#!/usr/bin/env node
// `npm run check`: everything that is not a test or a type. All checks run, also after one has failed.
import { pnpmEnvironment } from './lib/pnpm.mjs'
import { attempt, run } from './lib/step.mjs'
import { toolFile, turbo } from './lib/tool.mjs'
import { isMain, root } from './lib/workspace.mjs'

/**
 * Runs all checks.
 *
 * @param {{ env: NodeJS.ProcessEnv, verbose?: boolean }} options
 * @returns {Promise<boolean>} whether all have passed
 */
export async function check({ env, verbose = false }) {
  const node = (...args) => run(process.execPath, args, { cwd: root, env, verbose, timeoutMs: 300_000 })
  const outcomes = [
    await attempt('Lint and format', () =>
      node(toolFile('biome', '@biomejs/biome'), 'ci', '--colors=off', '.'),
    ),
    await attempt('Layers', () => node('scripts/check-layers.mjs')),
    await attempt('Dead exports and dependencies', () => node(toolFile('knip'), '--no-progress')),
    await attempt('Examples in the READMEs', () => node('scripts/check-readme.mjs')),
    await attempt('Doc comments of exported names', () => node('scripts/check-docs.mjs')),
    await attempt('List of error codes', () => node('scripts/write-errors.mjs', '--check')),
    await attempt('Packages as published', () =>
      turbo(['check:package'], { env, verbose, timeoutMs: 600_000 }),
    ),
  ]
  return outcomes.every(Boolean)
}

if (isMain(import.meta.url)) {
  const env = await pnpmEnvironment()
  const passed = await check({ env, verbose: process.argv.includes('--verbose') })
  process.exitCode = passed ? 0 : 1
}
