import type { Operation } from '@org/db-core'
import type { Target } from './target.ts'

/** Carries out operations that have passed the interceptors, together; one result for each. */
export type Carry = (items: readonly CarriedItem[]) => Promise<readonly unknown[]>

/** One operation, and the place of its request among all. */
export interface CarriedItem {
  readonly operation: Operation
  readonly place: number
}

interface Waiting extends CarriedItem {
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/** How long nothing has to arrive until those that have are carried out: an interceptor may hold back the others. */
const patienceMs = 5

/**
 * Shows each row to the interceptors as an operation of its own, as Prisma would know it, and carries out what comes
 * through them in as few statements as possible.
 */
export async function throughInterceptors(
  requests: readonly { readonly action: string; readonly args: object }[],
  target: Target,
  carry: Carry,
): Promise<readonly unknown[]> {
  let waiting: Waiting[] = []
  let open = requests.length
  let timer: NodeJS.Timeout | undefined

  function flush(): void {
    clearTimeout(timer)
    const group = waiting
    waiting = []
    if (group.length === 0) return
    carry(group).then(
      (results) => {
        for (const [index, { resolve }] of group.entries()) resolve(results[index])
      },
      (error: unknown) => {
        for (const { reject } of group) reject(error)
      },
    )
  }

  function arrived(): void {
    clearTimeout(timer)
    if (waiting.length >= open) flush()
    else timer = setTimeout(flush, patienceMs)
  }

  const running = requests.map(({ action, args }, place) =>
    target.database
      .operate({ model: target.name, action, args }, (operation) => {
        return new Promise((resolve, reject) => {
          waiting.push({ operation, place, resolve, reject })
          arrived()
        })
      })
      .finally(() => {
        open -= 1
        if (waiting.length > 0) arrived()
      }),
  )
  const results = await Promise.allSettled(running)
  const failed = results.find((result) => result.status === 'rejected')
  if (failed) throw failed.reason
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value)
}
