// Stops the servers of a process that died without stopping them, `kill -9` included. The parent holds the
// other end of stdin open: when it closes, the parent is gone. Plain JavaScript, since Node runs it as it is.
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const entries = new Map()

// A pid may be given to another process later: only the time of its birth tells them apart.
function birth(pid) {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      return fields[0] === 'Z' ? undefined : fields[19]
    }
    return execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim() || undefined
  } catch {
    // No such process.
    return undefined
  }
}

function send(pid, signal) {
  try {
    process.kill(pid, signal)
  } catch {
    // It ended between the check and the signal.
  }
}

function children(pid) {
  if (process.platform !== 'linux') return []
  return readdirSync('/proc').filter((entry) => {
    try {
      const stat = readFileSync(`/proc/${Number(entry)}/stat`, 'latin1')
      return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1] === String(pid)
    } catch {
      // Not a process, or one that has ended.
      return false
    }
  })
}

async function end({ pid, born, signal }) {
  const alive = () => born !== undefined && birth(pid) === born
  if (!alive()) return
  send(pid, signal)
  // A paused server receives the signal only when it goes on.
  for (const each of [pid, ...children(pid)]) send(Number(each), 'SIGCONT')
  for (let waitedMs = 0; alive() && waitedMs < 8_000; waitedMs += 20) await delay(20)
  if (alive()) send(pid, 'SIGKILL')
}

function receive(line) {
  const { id, remove, pid, signal, directory } = JSON.parse(line)
  if (remove) entries.delete(id)
  else entries.set(id, { pid, signal, directory, born: pid === undefined ? undefined : birth(pid) })
}

async function sweep() {
  const left = [...entries.values()]
  await Promise.all(left.map((entry) => end(entry)))
  for (const { directory } of left) {
    if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 })
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => {})
createInterface({ input: process.stdin }).on('line', receive).on('close', sweep)
