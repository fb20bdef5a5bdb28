#!/usr/bin/env node
// `node ../scripts/run-built.mjs FILE [ARGUMENT …]` in a workspace: builds the packages that it depends on, which takes
// no time when they are built, then runs the TypeScript file in this process. Nothing of the build reaches stdout.
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { StepError } from './lib/step.mjs'
import { turbo } from './lib/tool.mjs'
import { readJson } from './lib/workspace.mjs'

const workspace = process.cwd()
const { name } = readJson(join(workspace, 'package.json'))
const [file, ...rest] = process.argv.slice(2)

try {
  await turbo(['build', 'generate'], {
    env: { ...process.env, TURBO_TELEMETRY_DISABLED: '1' },
    timeoutMs: 600_000,
    args: [`--filter=${name}^...`],
  })
} catch (error) {
  if (!(error instanceof StepError)) throw error
  process.stderr.write(`${error.message.trimEnd()}\n`)
  process.exit(1)
}

const main = join(workspace, file)
process.argv = [process.execPath, main, ...rest]
const tsx = createRequire(main).resolve('tsx/esm/api')
const { register } = await import(pathToFileURL(tsx).href)
register()
await import(pathToFileURL(main).href)
