import type { Target } from './target.ts'

/** What is told after each statement, and asked before. */
export interface Progress {
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((done: { readonly rows: number; readonly total: number }) => void) | undefined
}

/** One progress for work that is done in parts: each part counts its own rows, the caller is told of all. */
export function inParts({ signal, onProgress }: Progress, total: number): () => Progress {
  let all = 0
  return () => {
    let own = 0
    return {
      signal,
      onProgress: ({ rows }) => {
        all += rows - own
        own = rows
        onProgress?.({ rows: all, total })
      },
    }
  }
}

/** Runs `work` in a transaction, or in the one around it, where it has several statements. */
export async function atOnce(
  isSeveral: boolean,
  { database }: Target,
  work: () => Promise<void>,
): Promise<void> {
  if (!isSeveral) return work()
  await database.sql.transaction(work)
}
