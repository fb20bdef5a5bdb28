import { checked } from './option-problems.ts'
import { problemsOfWarming } from './options.ts'

/** Runs reads, some at a time; returns how many failed. @throws CacheOptionsError */
export async function warm(
  reads: Iterable<() => Promise<unknown>>,
  options: { readonly concurrency?: number } = {},
): Promise<{ readonly done: number; readonly failed: number }> {
  checked(problemsOfWarming(options))
  let done = 0
  let failed = 0
  const queue = reads[Symbol.iterator]()
  const worker = async (): Promise<void> => {
    for (let next = queue.next(); !next.done; next = queue.next()) {
      try {
        await next.value()
        done++
      } catch {
        // Whoever needs it will see the reason; the rest can still be warmed.
        failed++
      }
    }
  }
  await Promise.all(Array.from({ length: options.concurrency ?? 4 }, worker))
  return { done, failed }
}
