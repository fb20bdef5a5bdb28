import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { serverAccount } from './account.ts'
import { TestingError } from './errors.ts'
import { descendants, signalProcess } from './process-tree.ts'
import { guard } from './watchdog.ts'

/** A server as a child process: how to start it, how to see that it works, how to end it. */
export interface ServerProcessOptions {
  /** As it appears in messages: `PostgreSQL`. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly directory: string
  readonly logFile: string
  /** Ends the server at once, but lets it free what it holds outside its process. */
  readonly killSignal: NodeJS.Signals
  /** Throws until the server answers. */
  readonly ready: () => Promise<void>
  readonly startTimeoutMs: number
}

/** A server that can be started, ended and paused again and again. */
export interface ServerProcess {
  /** Of the running process. Throws `DB_TESTING_STOPPED` when it does not run. */
  readonly pid: number
  start(): Promise<void>
  /** Sends the signal, after 10 seconds `SIGKILL`, and waits for the end; nothing happens when the server does not run. */
  end(signal: NodeJS.Signals): Promise<void>
  /** Freezes the server and all its processes: connections stay open, nothing answers. */
  pause(): void
  resume(): void
}

/** The last lines of a log file, indented; what a message about a failed start shows. */
async function logTail(file: string, lines = 15): Promise<string> {
  const text = await readFile(file, 'utf8').catch(() => '')
  const tail = text.trimEnd().split('\n').slice(-lines)
  return tail.join('\n').trim() === '' ? '  (its log is empty)' : tail.map((line) => `  ${line}`).join('\n')
}

/** Makes a server of a command. It does not start it. */
export function serverProcess(options: ServerProcessOptions): ServerProcess {
  let child: ChildProcess | undefined
  let ended: Promise<void> = Promise.resolve()

  const running = () => child?.pid !== undefined && child.exitCode === null && child.signalCode === null

  function runningPid(): number {
    if (child?.pid !== undefined && running()) return child.pid
    throw new TestingError('DB_TESTING_STOPPED', `${options.name} does not run`)
  }

  function launch(): void {
    const log = openSync(options.logFile, 'a')
    const { PATH = '' } = process.env
    const started = spawn(options.command, options.args, {
      ...serverAccount(),
      cwd: options.directory,
      // A Ctrl-C in the terminal is for the tests; the servers are stopped by them.
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH, LC_ALL: 'C' },
    })
    closeSync(log)
    child = started
    const release =
      started.pid === undefined ? () => {} : guard({ pid: started.pid, signal: options.killSignal })
    ended = new Promise<void>((resolve) => {
      started.once('exit', () => resolve())
      started.once('error', () => resolve())
    }).then(release)
    started.unref()
  }

  async function failed(
    code: 'DB_TESTING_START_FAILED' | 'DB_TESTING_START_TIMEOUT',
    what: string,
    cause: unknown,
  ) {
    const message = `${options.name} ${what}. The end of its log:\n${await logTail(options.logFile)}`
    return new TestingError(code, message, { cause })
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (!child || !running() || child.pid === undefined) return
    // Without a reference the event loop would not wait for the end.
    child.ref()
    const { pid } = child
    signalProcess(pid, signal)
    resume()
    const stuck = setTimeout(() => {
      for (const each of [pid, ...descendants(pid)]) signalProcess(each, 'SIGKILL')
    }, 10_000)
    await ended
    clearTimeout(stuck)
  }

  function resume(): void {
    if (!child?.pid || !running()) return
    for (const pid of [child.pid, ...descendants(child.pid)]) signalProcess(pid, 'SIGCONT')
  }

  return {
    get pid() {
      return runningPid()
    },
    end,
    resume,
    pause() {
      const parent = runningPid()
      // The parent first, so that it starts no further process.
      signalProcess(parent, 'SIGSTOP')
      for (const pid of descendants(parent)) signalProcess(pid, 'SIGSTOP')
    },
    async start() {
      if (running()) return
      launch()
      const deadline = Date.now() + options.startTimeoutMs
      for (;;) {
        try {
          await options.ready()
          if (running()) return
        } catch (error) {
          if (running() && Date.now() > deadline) {
            await end(options.killSignal)
            throw await failed(
              'DB_TESTING_START_TIMEOUT',
              `did not answer within ${options.startTimeoutMs} ms`,
              error,
            )
          }
        }
        if (!running()) {
          await ended
          throw await failed('DB_TESTING_START_FAILED', 'ended while it started', undefined)
        }
        await delay(15)
      }
    },
  }
}
