import { keyOf } from './key.ts'
import { permutation } from './permutation.ts'
import { keyedRandom, type Random, type RandomKey } from './random.ts'

/** What a row is made from. It is the same object for all rows of a list: take what you need, don't keep it. */
export interface SeedRow {
  /** Counted from 0. */
  readonly index: number
  /** Numbers that belong to this row: they don't depend on rows before it, nor on who makes them, nor in which order. */
  readonly random: Random
  /**
   * A number that no other row of the list has, from 0 up to, not including, `below`, in no visible order. `of` names what
   * it is for: different names give different numbers. `below` is at least the number of rows.
   */
  unique(options: { readonly below: number; readonly of?: string }): number
  /** A text that no other row of the list has: `length` characters of `0-9a-z` without `i`, `l`, `o` and `u`; at most 10. Default 8. */
  code(options?: { readonly length?: number; readonly of?: string }): string
  /**
   * Two places that no other row of the list has together, for tables that connect two others.
   * `left × right` is at least the number of rows.
   */
  pair(options: { readonly left: number; readonly right: number }): readonly [left: number, right: number]
}

/** Rows that are made one by one when they are asked for. */
export interface GeneratedRows<T> extends Iterable<T> {
  readonly length: number
  /** The rows from a place up to another: the same rows as in the whole. */
  slice(from: number, to: number): Iterable<T>
}

/** What rows are generated from. */
export interface GenerateOptions<T> {
  /** The same seed gives the same rows, everywhere. Default 1. */
  readonly seed?: string | number
  /** What the rows are; lists of different names differ. */
  readonly name: string
  readonly count: number
  /** Makes one row. It must not look at anything else that varies: the time, `Math.random`, counters. */
  readonly row: (row: SeedRow) => T
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

/** Rows that follow from the seed alone: `generate({ name: 'films', count: 1_000, row: ({ random }) => … })`. */
export function generate<T>({ seed = 1, name, count, row }: GenerateOptions<T>): GeneratedRows<T> {
  const key = keyOf(seed, name)
  const slice = function* (from: number, to: number): Generator<T> {
    const current = rowOf({ key, seed, name, count })
    for (let index = from; index < to; index++) yield row(current(index))
  }
  return {
    length: count,
    slice: (from, to) => slice(Math.max(0, from), Math.min(count, to)),
    [Symbol.iterator]: () => slice(0, count),
  }
}

interface RowSource {
  readonly key: RandomKey
  readonly seed: string | number
  readonly name: string
  readonly count: number
}

function rowOf({ key, seed, name, count }: RowSource): (index: number) => SeedRow {
  const random = keyedRandom(key)
  const shuffles = new Map<string, (index: number) => number>()
  let at = 0
  const unique: SeedRow['unique'] = ({ below, of = '' }) => {
    const id = `${of}/${below}`
    let shuffle = shuffles.get(id)
    if (!shuffle) {
      if (below < count) throw new RangeError(`There are ${count} rows of ${name}, and ${below} numbers`)
      shuffle = permutation(below, keyOf(seed, name, of, 'unique'))
      shuffles.set(id, shuffle)
    }
    return shuffle(at)
  }
  const row: SeedRow = {
    get index() {
      return at
    },
    random,
    unique,
    code({ length = 8, of = 'code' } = {}) {
      let left = unique({ below: 32 ** length, of })
      let text = ''
      for (let place = 0; place < length; place++) {
        text = (alphabet[left % 32] ?? '') + text
        left = Math.floor(left / 32)
      }
      return text
    },
    pair({ left, right }) {
      const both = unique({ below: left * right, of: 'pair' })
      return [Math.floor(both / right), both % right]
    },
  }
  return (index) => {
    at = index
    random.moveTo(index)
    return row
  }
}
