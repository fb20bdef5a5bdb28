/** A post as a reader gets it: its version, and the name that the write of that version gave it. */
export interface Seen {
  readonly id: number
  readonly views: number
  readonly title: string
}

/** What a library is asked to do; reads go through its cache, writes void what they change. */
export interface World {
  /** One row by its key. */
  post(id: number): Promise<Seen>
  /** The posts of a user, by an included relation. */
  postsOf(userId: number): Promise<readonly Seen[]>
  /** A write of one row. */
  write(id: number, token: string): Promise<Seen>
  /** The same as a nested write. */
  writeNested(userId: number, id: number, token: string): Promise<Seen>
  /** Writes several rows in a transaction, reads them in it, and then commits or rolls back. */
  transact(ids: readonly number[], token: string, end: 'commit' | 'rollback'): Promise<readonly Seen[]>
  /** Hits among all reads so far, 0 to 1, where the library tells. */
  hitRatio(): number | undefined
  close(): Promise<void>
}

/** Where a library finds its servers. */
export interface WorldOptions {
  readonly url: string
  readonly redisUrl: string
}

export const userCount = 6
export const postsPerUser = 4
/** How long values may live in every cache. */
export const ttlMs = 60_000
export const selected = { id: true, views: true, title: true } as const

/** Whose post it is. */
export function authorOf(post: number): number {
  return Math.ceil(post / postsPerUser)
}

/** What a write sets. */
export function changeOf(token: string): {
  readonly views: { readonly increment: 1 }
  readonly title: string
} {
  return { views: { increment: 1 }, title: token }
}

/** Ends a transaction that is to be rolled back. */
export class Rollback extends Error {
  override readonly name = 'Rollback'
}

/** Runs a transaction that may have to end with a rollback. */
export async function unlessRolledBack<T>(run: () => Promise<readonly T[]>): Promise<readonly T[]> {
  try {
    return await run()
  } catch (error) {
    if (error instanceof Rollback) return []
    throw error
  }
}
