import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { type GeneratedRows, generate } from '@org/db-seed/data'
import type { Item } from './item.ts'

/** Who puts rows into the table. */
export type SeedWay = 'ours' | 'compare' | 'prisma' | 'copy'

/** What a process is to do. */
export interface SeedOrder {
  readonly url: string
  readonly way: SeedWay
  readonly count: number
}

/** What it took. */
export interface SeedAnswer {
  readonly ms: number
  /** The most memory that the process ever had, in kB. */
  readonly peakKb: number
  /** Of ours: what the same took once more. */
  readonly again?: { readonly ms: number; readonly written: number }
}

/** Runs it in a process of its own, because memory is a process's. */
export async function runSeedChild(order: SeedOrder): Promise<SeedAnswer> {
  const sources = process.env.VITEST !== undefined
  const child = fork(fileURLToPath(new URL('seed-child.ts', import.meta.url)), {
    cwd: fileURLToPath(new URL('..', import.meta.url)),
    execArgv: [...(sources ? ['--conditions=@org/source'] : []), '--import', 'tsx'],
    env: { ...process.env, SEED_ORDER: JSON.stringify(order) },
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  })
  const ended = once(child, 'exit')
  let answer: SeedAnswer | undefined
  child.on('message', (message: SeedAnswer) => {
    answer = message
  })
  await ended
  if (!answer) throw new Error(`The process of ${order.way} ended without an answer`)
  return answer
}

/** The rows that all of them load. */
export function itemRows(count: number): GeneratedRows<Item> {
  const from = new Date('2024-01-01T00:00:00Z')
  const to = new Date('2026-01-01T00:00:00Z')
  return generate({
    name: 'items',
    count,
    row: (row) => {
      const { random, index } = row
      return {
        id: index + 1,
        name: `Item number ${index}`,
        email: `${row.code()}@example.test`,
        active: random.chance(0.3),
        score: random.int(0, 999),
        rating: random.int(0, 1_000) / 100,
        price: `${random.int(1, 999)}.${random.int(10, 99)}`,
        created: random.date(from, to),
        meta: {
          tags: ['alpha', `tag${random.int(0, 49)}`],
          size: { width: random.int(1, 300), height: random.int(1, 700) },
        },
      }
    },
  })
}
