#!/usr/bin/env node
// `npm run setup`: everything between `git clone` and running code, on a machine that has Node and npm only.
// Steps whose inputs are as they were at their last success are left out. `--verbose` shows what the tools print.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pnpmEnvironment } from './lib/pnpm.mjs'
import { hashOf, readStamp, writeStamp } from './lib/stamp.mjs'
import { main, run, StepError, step } from './lib/step.mjs'
import { turbo } from './lib/tool.mjs'
import { isMain, readJson, root, workspaceFolders } from './lib/workspace.mjs'

const buildInputs = ['tsconfig.base.json', 'tsconfig.build.json', 'tsup.config.ts', 'turbo.json']

const fromBuilt = {
  name: 'Building packages, generating the Prisma client',
  tasks: ['build', 'generate'],
  args: [],
  inputs: ['packages', 'prisma'],
  stamp: 'build',
}
const fromSources = {
  name: 'Generating the Prisma client',
  tasks: ['generate'],
  args: ['--filter=@org/prisma'],
  inputs: ['packages/core', 'prisma'],
  stamp: 'generate',
}

/**
 * Installs, builds the packages and generates the Prisma client.
 *
 * @param {{ verbose?: boolean, sources?: boolean }} [options] `sources`: what comes after runs on the packages' sources,
 *   so only what the Prisma client needs is built
 * @returns {Promise<{ env: NodeJS.ProcessEnv }>} the environment to run the workspace's tools in
 * @throws {StepError} when a step fails
 */
export async function setup({ verbose = false, sources = false } = {}) {
  await step('Checking Node.js', checkNode)
  const folders = workspaceFolders()
  const installed = installStamp(folders)
  const isInstalled = readStamp('install') === installed && folders.every(hasModules)

  let env
  await step('Installing dependencies', async () => {
    env = await pnpmEnvironment({ trustStamp: isInstalled })
    if (isInstalled) return 'unchanged'
    const args = ['install', '--frozen-lockfile', '--prefer-offline', '--config.confirm-modules-purge=false']
    await run('pnpm', args, { env, cwd: root, verbose, timeoutMs: 900_000 })
    writeStamp('install', installed)
  })

  const goal = sources ? fromSources : fromBuilt
  await step(goal.name, async () => {
    const stamp = installed + hashOf([...goal.inputs, ...buildInputs].map((name) => join(root, name)))
    const outputs = goal.inputs.flatMap((input) =>
      folders.filter((folder) => folder.startsWith(join(root, input))),
    )
    if (readStamp(goal.stamp) === stamp && outputs.every(isBuilt)) return 'unchanged'
    await turbo(goal.tasks, { env, verbose, timeoutMs: 600_000, args: goal.args })
    writeStamp(goal.stamp, stamp)
  })
  return { env }
}

async function checkNode() {
  const wanted = /\d+\.\d+/.exec(readJson(join(root, 'package.json')).engines.node)[0]
  const [major, minor] = process.versions.node.split('.').map(Number)
  const [wantedMajor, wantedMinor] = wanted.split('.').map(Number)
  if (major > wantedMajor || (major === wantedMajor && minor >= wantedMinor)) return process.version
  throw new StepError(
    `This project needs Node.js ${wanted} or newer; this is ${process.version} (${process.execPath}).`,
  )
}

function installStamp(folders) {
  const manifests = folders.map((folder) => join(folder, 'package.json'))
  const shared = ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', '.npmrc'].map((name) =>
    join(root, name),
  )
  return hashOf([...shared, ...manifests])
}

function hasModules(folder) {
  const { dependencies, devDependencies } = readJson(join(folder, 'package.json'))
  return !(dependencies || devDependencies) || existsSync(join(folder, 'node_modules'))
}

/** Whether every file that the exports map promises is there. */
function isBuilt(folder) {
  const targets = Object.values(readJson(join(folder, 'package.json')).exports ?? {})
  return targets
    .flatMap((target) => (typeof target === 'string' ? [target] : Object.values(target)))
    .every((path) => path.includes('*') || existsSync(join(folder, path)))
}

if (isMain(import.meta.url)) await main(() => setup({ verbose: process.argv.includes('--verbose') }))
