import { readdirSync, readFileSync } from 'node:fs'

/** Nanoseconds on a CPU so far, for each process of a server. */
export type ServerCpu = ReadonlyMap<number, number>

/**
 * What the postmaster's children have used so far: backends, WAL writer, checkpointer.
 * `undefined` where the system has no /proc that tells.
 */
export function readServerCpu(postmasterPid: number | undefined): ServerCpu | undefined {
  if (postmasterPid === undefined) return undefined
  const cpu = new Map<number, number>()
  for (const pid of childrenOf(postmasterPid)) {
    const nanoseconds = cpuNanoseconds(pid)
    if (nanoseconds !== undefined) cpu.set(pid, nanoseconds)
  }
  return cpu.size === 0 ? undefined : cpu
}

/** Microseconds used between two readings. A process that ended in between takes its own with it. */
export function serverCpuBetweenUs(
  before: ServerCpu | undefined,
  after: ServerCpu | undefined,
): number | undefined {
  if (!before || !after) return undefined
  let nanoseconds = 0
  for (const [pid, value] of after) nanoseconds += value - (before.get(pid) ?? 0)
  return nanoseconds / 1000
}

function childrenOf(pid: number): readonly number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((child) => child > 0 && parentOf(child) === pid)
}

function parentOf(pid: number): number | undefined {
  const stat = read(`/proc/${pid}/stat`)
  // The name in parentheses may hold spaces; the state and the parent follow it.
  return stat === undefined ? undefined : Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

function cpuNanoseconds(pid: number): number | undefined {
  // /proc/pid/stat would count in ticks of 10 ms, too coarse for sixteen backends in one second.
  const schedstat = read(`/proc/${pid}/schedstat`)
  return schedstat === undefined ? undefined : Number(schedstat.split(' ')[0])
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // No /proc, or the process ended while the list was read: unknown either way.
    return undefined
  }
}
