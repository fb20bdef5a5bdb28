import type { WriteStream } from 'node:tty'
import type { Progress } from './fight.ts'

/** Shows how far it is: one line that changes on a terminal, else a line each second. */
export interface ProgressDisplay {
  show(progress: Progress): void
  /** Leaves the last line as it is. */
  end(): void
}

/** Writes to `stream`, which is stderr where stdout is for a program. */
export function progressDisplay(stream: NodeJS.WriteStream): ProgressDisplay {
  const terminal = stream.isTTY ? (stream as WriteStream) : undefined
  let open = false
  return {
    show(progress) {
      const line = formatProgress(progress)
      if (!terminal) stream.write(`${line}\n`)
      else terminal.write(`\r${line.slice(0, terminal.columns - 1)}\u001b[K`)
      open = terminal !== undefined
    },
    end() {
      if (open) stream.write('\n')
      open = false
    },
  }
}

function formatProgress(progress: Progress): string {
  const { elapsedMs, placed, refused, unknown, popularLeft, killed, pool } = progress
  const count = (value: number) => value.toLocaleString('en-US')
  const waiting = pool ? ` · pool ${pool.active}/${pool.max}, ${count(pool.waiting)} waiting` : ''
  const open = unknown > 0 ? `, ${count(unknown)} open` : ''
  const left = Math.max(0, Math.round(popularLeft * 100))
  return `${Math.round(elapsedMs / 1_000)} s · ${count(placed)} placed, ${count(refused)} refused${open} · ${left} % left${waiting} · ${killed} killed`
}
