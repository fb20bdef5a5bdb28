import { DatabaseError, type Operation } from '@org/db-core'
import type { Target } from './target.ts'

/**
 * Carries out operations that have passed the interceptors, together; one result for each, `undefined` where there is
 * no such row: interceptors see the failure that Prisma would have.
 */
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
 * through them in as few statements as possible. One result for each; `undefined` where there is no such row.
 */
export async function throughInterceptors(
  requests: readonly { readonly action: string; readonly args: object }[],
  target: Target,
  carry: Carry,
): Promise<readonly unknown[]> {
  let waiting: Waiting[] = []
  let open = requests.length
  let timer: NodeJS.Timeout | undefined
  const missing = new WeakSet<object>()

  function settle({ operation, resolve, reject }: Waiting, result: unknown): void {
    if (result !== undefined) {
      resolve(result)
      return
    }
    const { model, action } = operation
    const what = `${model}.${action} found no row to change`
    const error = new DatabaseError('DB_NOT_FOUND', what, { model, action, outcome: 'rolled-back' })
    missing.add(error)
    reject(error)
  }

  function flush(): void {
    clearTimeout(timer)
    const group = waiting
    waiting = []
    if (group.length === 0) return
    void carryOut(group)
  }

  /** Async, so that what `carry` throws at once fails all of the group as well. */
  async function carryOut(group: readonly Waiting[]): Promise<void> {
    try {
      const results = await carry(group)
      for (const [index, each] of group.entries()) settle(each, results[index])
    } catch (error) {
      for (const { reject } of group) reject(error)
    }
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
  return results.map((result) => {
    if (result.status === 'fulfilled') return result.value ?? undefined
    if (missing.has(result.reason as object)) return undefined
    throw result.reason
  })
}
