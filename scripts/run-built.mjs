#!/usr/bin/env node
// `node ../scripts/run-built.mjs FILE [ARGUMENT …]` in a workspace: builds the packages that it depends on, which takes
// a moment when they are built already, then runs the TypeScript file. Nothing of the build reaches stdout.
import { join } from 'node:path'
import { runChild } from './lib/child.mjs'
import { StepError } from './lib/step.mjs'
import { turbo } from './lib/tool.mjs'
import { readJson } from './lib/workspace.mjs'

const { name } = readJson(join(process.cwd(), 'package.json'))
try {
  await turbo(['build', 'generate'], {
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
    timeoutMs: 600_000,
    args: [`--filter=${name}^...`],
  })
  const args = ['--import', 'tsx', ...process.argv.slice(2)]
  const { code } = await runChild(process.execPath, args, { output: 'inherit', exitCode: 'own' })
  process.exitCode = code
} catch (error) {
  if (!(error instanceof StepError)) throw error
  process.stderr.write(`${error.message.trimEnd()}\n`)
  process.exitCode = 1
}
