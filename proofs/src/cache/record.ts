/** A version of a post that was committed. */
export interface Commit {
  readonly post: number
  readonly version: number
  readonly token: string
  /** When the writer had its answer, on the machine's monotonic clock, in milliseconds. */
  readonly at: number
  readonly process: number
}

/** A version of a post that somebody was shown. */
export interface Read {
  readonly post: number
  readonly version: number
  readonly token: string
  /** When it was asked for. */
  readonly at: number
  readonly process: number
}

/** What one process has done and seen. */
export interface Record {
  readonly commits: readonly Commit[]
  readonly reads: readonly Read[]
  readonly rolledBack: number
  /** Operations that failed; nothing of them was committed. */
  readonly failed: number
  readonly slowestReadMs: number
  readonly hitRatio: number | undefined
}

/** What is wrong in all that was seen. */
export interface Verdict {
  readonly reads: number
  readonly commits: number
  readonly rolledBack: number
  /** Reads of something that was never committed. */
  readonly uncommitted: number
  /** Reads of something that had been replaced longer ago than is promised. */
  readonly tooOld: number
  /** Reads of something that the same process had replaced before. */
  readonly ownWritesMissed: number
  /** The oldest thing that was read: how long ago it had been replaced. */
  readonly oldestMs: number
  readonly slowestReadMs: number
  readonly hitRatio: number | undefined
}

/** Holds what was read against what was committed, whoever did it. */
export function judge(records: readonly Record[], promisedMs: number): Verdict {
  const commits = new Map(
    records.flatMap((record) => record.commits.map((commit) => [`${commit.post} ${commit.version}`, commit])),
  )
  let uncommitted = 0
  let tooOld = 0
  let ownWritesMissed = 0
  let oldestMs = 0
  for (const read of records.flatMap(({ reads }) => reads)) {
    const token =
      read.version === 0 ? `initial ${read.post}` : commits.get(`${read.post} ${read.version}`)?.token
    if (token !== read.token) uncommitted++
    const successor = commits.get(`${read.post} ${read.version + 1}`)
    if (!successor || successor.at >= read.at) continue
    const ageMs = read.at - successor.at
    oldestMs = Math.max(oldestMs, ageMs)
    if (ageMs > promisedMs) tooOld++
    if (successor.process === read.process) ownWritesMissed++
  }
  const sum = (of: (record: Record) => number): number =>
    records.reduce((total, record) => total + of(record), 0)
  const ratios = records.flatMap(({ hitRatio }) => (hitRatio === undefined ? [] : [hitRatio]))
  return {
    reads: sum(({ reads }) => reads.length),
    commits: commits.size,
    rolledBack: sum((record) => record.rolledBack),
    uncommitted,
    tooOld,
    ownWritesMissed,
    oldestMs,
    slowestReadMs: Math.max(...records.map((record) => record.slowestReadMs)),
    hitRatio: ratios.length === 0 ? undefined : ratios.reduce((a, b) => a + b, 0) / ratios.length,
  }
}
