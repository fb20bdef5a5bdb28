import { runChild } from './child.mjs'

/**
 * The steps of this run in their order.
 *
 * @type {{ name: string, seconds: number, failed: boolean }[]}
 */
export const finishedSteps = []

/** A step that failed; what it printed has been shown already. */
export class StepError extends Error {
  /** @override */
  name = 'StepError'
}

/**
 * Says that a step begins, runs it, and says how long it took on the same line.
 *
 * @param {string} name
 * @param {() => Promise<unknown>} run resolves to one line that tells its result, or to anything else for «done»;
 *   throws a `StepError` whose message explains a failure
 * @param {{ live?: boolean }} [options] `live`: the step prints while it runs, so its time gets a line of its own
 */
export async function step(name, run, { live = false } = {}) {
  const start = performance.now()
  process.stdout.write(live ? `▸ ${name} …\n` : `▸ ${name} … `)
  // A dot every five seconds tells a long step from a hanging one.
  const dots = live ? undefined : setInterval(() => process.stdout.write('. '), 5000)
  const end = (failed, note) => {
    clearInterval(dots)
    const seconds = (performance.now() - start) / 1000
    finishedSteps.push({ name, seconds, failed })
    process.stdout.write(`${live ? `▸ ${name}: ` : ''}${note} (${seconds.toFixed(1)} s)\n`)
  }
  try {
    const result = await run()
    end(false, note(result))
  } catch (error) {
    end(true, 'FAILED')
    if (!(error instanceof StepError)) throw error
    process.stdout.write(`\n${error.message.trimEnd()}\n\n`)
    throw error
  }
}

/** What a step's result says in one line. */
function note(result) {
  const line = typeof result === 'string' ? result.trim() : ''
  return line === '' || line.includes('\n') ? 'done' : line
}

/** Runs a step whose failure is shown but ends nothing; resolves to whether it has succeeded. */
export async function attempt(name, run, options) {
  try {
    await step(name, run, options)
    return true
  } catch (error) {
    if (error instanceof StepError) return false
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

/** Runs a script's own part: a step that failed has said why, so only the exit code is left to set. */
export async function main(script) {
  try {
    await script()
  } catch (error) {
    if (!(error instanceof StepError)) throw error
    process.exitCode = 1
  }
}
