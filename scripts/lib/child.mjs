// Every child runs in a process group of its own: a time limit or Ctrl-C then ends its grandchildren too, and a
// signal reaches it exactly once, whether it came from the terminal, from npm, or from both.
import { spawn, spawnSync } from 'node:child_process'
import { constants } from 'node:os'

const windows = process.platform === 'win32'
const running = new Set()
let stoppedBy

/**
 * Runs a command to its end.
 *
 * @param {string} command
 * @param {readonly string[]} args
 * @param {object} options
 * @param {string} [options.cwd]
 * @param {NodeJS.ProcessEnv} [options.env]
 * @param {'capture' | 'inherit'} [options.output] what becomes of its output, 'capture' by default
 * @param {number} [options.timeoutMs] its process group is killed after this time; no limit by default
 * @param {'own'} [options.exitCode] after a signal the promise still resolves when the child ended in its own way; by
 *   default this process ends then, as one does that was stopped by a signal
 * @returns {Promise<{ code: number, output: string, timedOut: boolean }>} `output` is both streams in order of arrival
 */
export function runChild(command, args, options = {}) {
  listenForSignals()
  const pipe = options.output === 'inherit' ? 'inherit' : 'pipe'
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      env: options.env ?? process.env,
      // Outside the terminal's own process group a child that reads from it would be stopped.
      stdio: ['ignore', pipe, pipe],
      detached: !windows,
      shell: windows && !command.endsWith('.exe'),
      windowsHide: true,
    })
    running.add(child)
    const chunks = []
    child.stdout?.on('data', (chunk) => chunks.push(chunk))
    child.stderr?.on('data', (chunk) => chunks.push(chunk))
    let timedOut = false
    const timer =
      options.timeoutMs === undefined
        ? undefined
        : setTimeout(() => {
            timedOut = true
            endGroup(child, 'SIGKILL')
          }, options.timeoutMs)
    const settle = (finish) => {
      clearTimeout(timer)
      running.delete(child)
      const exitsItself = options.exitCode === 'own' && child.exitCode !== null
      if (stoppedBy && running.size === 0 && !exitsItself) process.exit(codeOfSignal(stoppedBy))
      finish()
    }
    child.on('error', (error) => settle(() => reject(error)))
    child.on('close', (code, signal) =>
      settle(() =>
        resolve({
          code: code ?? codeOfSignal(signal),
          output: Buffer.concat(chunks).toString('utf8'),
          timedOut,
        }),
      ),
    )
  })
}

function codeOfSignal(signal) {
  return 128 + (constants.signals[signal] ?? 0)
}

function endGroup(child, signal) {
  if (child.pid === undefined) return
  if (windows) {
    spawnSync('taskkill', ['/pid', String(child.pid), '/t', '/f'])
    return
  }
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error // it ended by itself in the meantime
  }
}

let listening = false
function listenForSignals() {
  if (listening) return
  listening = true
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(signal))
  process.on('exit', () => {
    for (const child of running) endGroup(child, 'SIGKILL')
  })
  // A signal to npm ends npm and its shell, and never gets here: that the parent is gone has to be noticed.
  const parent = process.ppid
  const startedByNpm = process.env.npm_lifecycle_event !== undefined
  if (!windows && startedByNpm) setInterval(() => process.ppid !== parent && stop('SIGTERM'), 500).unref()
}

function stop(signal) {
  if (stoppedBy) return
  stoppedBy = signal
  if (running.size === 0) process.exit(codeOfSignal(signal))
  for (const child of running) endGroup(child, signal)
  setTimeout(() => {
    for (const child of running) endGroup(child, 'SIGKILL')
  }, 15_000).unref()
}
