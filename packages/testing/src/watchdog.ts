import { type ChildProcess, spawn } from 'node:child_process'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'

/** What is left behind if this process dies: a process to end, a directory to remove. */
export interface Guarded {
  readonly pid?: number
  /** The signal that makes the process end at once and clean up. Default `SIGKILL`. */
  readonly signal?: NodeJS.Signals
  readonly directory?: string
}

interface Watchdog {
  child: ChildProcess | undefined
  nextId: number
  readonly entries: Map<number, Guarded>
}

// One watchdog a process, even when the package is loaded twice.
const key = Symbol.for('@org/db-testing/watchdog')
const globals = globalThis as { [key]?: Watchdog }

function watchdog(): Watchdog {
  globals[key] ??= { child: undefined, nextId: 1, entries: new Map() }
  return globals[key]
}

function message(id: number, guarded: Guarded): string {
  return `${JSON.stringify({ id, signal: 'SIGKILL', ...guarded })}\n`
}

function running(): ChildProcess {
  const state = watchdog()
  if (state.child && state.child.exitCode === null && state.child.signalCode === null) return state.child
  const script = fileURLToPath(new URL('../watchdog.mjs', import.meta.url))
  const child = spawn(process.execPath, [script], {
    // Its own session: a signal to this process's group must not end it.
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    env: {},
    cwd: '/',
  })
  child.unref()
  const pipe = child.stdin as unknown as Socket
  pipe.unref()
  // A dead watchdog is noticed, and replaced, at the next call.
  pipe.on('error', () => {})
  child.on('error', () => {})
  state.child = child
  for (const [id, guarded] of state.entries) pipe.write(message(id, guarded))
  return child
}

/** Makes sure that `guarded` is gone after this process, however it ends. Returns how to forget it. */
export function guard(guarded: Guarded): () => void {
  const state = watchdog()
  const child = running()
  const id = state.nextId++
  state.entries.set(id, guarded)
  child.stdin?.write(message(id, guarded))
  return () => {
    if (state.entries.delete(id)) state.child?.stdin?.write(`${JSON.stringify({ id, remove: true })}\n`)
  }
}
