import { type Distribution, type Draw, drawOf, type SeedRow } from './data/index.ts'
import { keyOf } from './data/key.ts'
import { permutation } from './data/permutation.ts'

/** Values of rows that are there already, for the foreign keys of those to come. */
export interface References<Value> {
  readonly length: number
  readonly values: readonly Value[]
  /** One of them for a row; which one follows from the row alone. Default: all alike. */
  pick(row: SeedRow, distribution?: Distribution): Value
}

/** The values in an order that does not depend on the machine; who is frequent is drawn by lot. */
export function referencesOf<Value>(
  values: readonly Value[],
  { seed, name }: { readonly seed: string | number; readonly name: string },
): References<Value> {
  const draws = new Map<string, Draw>()
  const { length } = values
  const shuffle = length > 0 ? permutation(length, keyOf(seed, name, 'references')) : undefined
  return {
    length,
    values,
    pick(row, distribution = 'uniform') {
      if (!shuffle) throw new RangeError(`There are no rows of ${name} to refer to`)
      const id = JSON.stringify(distribution)
      let draw = draws.get(id)
      if (!draw) {
        draw = drawOf(distribution, length)
        draws.set(id, draw)
      }
      const place = draw(row.random, row.index)
      return values[distribution === 'even' ? place : shuffle(place)] as Value
    },
  }
}
