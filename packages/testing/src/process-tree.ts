import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'

function parents(): Map<number, number> {
  const found = new Map<number, number>()
  if (process.platform === 'linux') {
    for (const entry of readdirSync('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      try {
        const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
        found.set(Number(entry), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
      } catch {
        // The process ended while the list was read.
      }
    }
    return found
  }
  const lines = execFileSync('ps', ['-axo', 'pid=,ppid='], { encoding: 'utf8' }).trim().split('\n')
  for (const line of lines) {
    const [pid, parent] = line.trim().split(/\s+/).map(Number)
    if (pid !== undefined && parent !== undefined) found.set(pid, parent)
  }
  return found
}

/** The processes started by `pid`, and by them. PostgreSQL's are sessions of their own, so no group signal reaches them. */
export function descendants(pid: number): readonly number[] {
  const parentOf = parents()
  const found = new Set([pid])
  for (let size = 0; size !== found.size; ) {
    size = found.size
    for (const [child, parent] of parentOf) if (found.has(parent)) found.add(child)
  }
  found.delete(pid)
  return [...found]
}

/** Sends a signal; `false` when the process is gone. */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(pid, signal)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
    throw error
  }
}
