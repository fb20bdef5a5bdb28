import { join } from 'node:path'
import { run } from './step.mjs'
import { readJson, root } from './workspace.mjs'

/** The JavaScript file behind a command of one of the root's dependencies, to be run by this Node without a shell. */
export function toolFile(name, packageName = name, from = root) {
  const folder = join(from, 'node_modules', packageName)
  const { bin } = readJson(join(folder, 'package.json'))
  return join(folder, typeof bin === 'string' ? bin : bin[name])
}

/**
 * Runs turbo tasks; what turbo has done before on the same inputs it leaves out by itself.
 *
 * @param {readonly string[]} tasks
 * @param {{ env: NodeJS.ProcessEnv, timeoutMs: number, verbose?: boolean, args?: readonly string[] }} options
 */
export function turbo(tasks, { env, timeoutMs, verbose, args = [] }) {
  const options = ['--ui=stream', '--no-update-notifier', '--output-logs=errors-only', ...args]
  return run(process.execPath, [toolFile('turbo'), 'run', ...tasks, ...options], {
    cwd: root,
    env,
    verbose,
    timeoutMs,
  })
}
