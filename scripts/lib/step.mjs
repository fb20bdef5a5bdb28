import { runChild } from './child.mjs'

/** The steps of this run in their order: `{ name, seconds, outcome: 'done' | 'unchanged' | 'failed' | 'left out' }`. */
export const finishedSteps = []

/** A step that failed; what it printed has been shown already. */
export class StepError extends Error {
  name = 'StepError'
}

/**
 * Says that a step begins, runs it, and says how long it took on the same line.
 *
 * The step resolves to `'unchanged'` when there was nothing to do, or to a text shown behind its time. It throws a
 * `StepError` whose message explains a failure.
 *
 * @template T
 * @param {string} name
 * @param {() => Promise<T>} run
 * @param {{ live?: boolean }} [options] `live`: the step prints while it runs, so its time gets a line of its own
 */
export async function step(name, run, { live = false } = {}) {
  const start = performance.now()
  process.stdout.write(live ? `▸ ${name} …\n` : `▸ ${name} … `)
  const end = (outcome, note) => {
    const seconds = (performance.now() - start) / 1000
    finishedSteps.push({ name, seconds, outcome })
    process.stdout.write(`${live ? `▸ ${name}: ` : ''}${note} (${seconds.toFixed(1)} s)\n`)
  }
  try {
    const result = await run()
    end(result === 'unchanged' ? 'unchanged' : 'done', typeof result === 'string' ? result : 'done')
    return result
  } catch (error) {
    end('failed', 'FAILED')
    if (!(error instanceof StepError)) throw error
    process.stdout.write(`\n${error.message.trimEnd()}\n\n`)
    throw error
  }
}

/**
 * Runs a command as (part of) a step: its output is shown only when it fails, or as it comes with `verbose`.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {Parameters<typeof runChild>[2] & { verbose?: boolean, timeoutMs: number }} options
 * @returns {Promise<string>} what the command printed (nothing with `verbose`)
 * @throws {StepError} when it ends with another exit code than 0, or did not end in time
 */
export async function run(command, args, { verbose = false, ...options }) {
  const line = [command, ...args].join(' ')
  let result
  try {
    result = await runChild(command, args, { ...options, output: verbose ? 'inherit' : 'capture' })
  } catch (error) {
    throw new StepError(`Cannot start \`${line}\`: ${error.message}`)
  }
  if (result.timedOut) {
    throw new StepError(`${result.output}\n\`${line}\` did not end within ${options.timeoutMs / 1000} s.`)
  }
  if (result.code !== 0)
    throw new StepError(`${result.output}\n\`${line}\` ended with exit code ${result.code}.`)
  return result.output
}
