import type { RandomKey } from './random.ts'

/** Above it halves no longer fit into the integers that are mixed, nor the whole into a double. */
const maxSize = 2 ** 50

/**
 * A shuffle of the whole numbers below `size` that needs no memory: each index has one place, and no two the same. A
 * Feistel network over the next power of four; places outside are walked past.
 */
export function permutation(size: number, key: RandomKey): (index: number) => number {
  if (!(size >= 1 && size <= maxSize)) throw new RangeError('Unique numbers are from 0 up to at most 2^50')
  let bits = 1
  while (4 ** bits < size) bits++
  const half = 2 ** bits

  const shuffle = (value: number): number => {
    let left = Math.floor(value / half)
    let right = value % half
    for (const part of key) {
      const mixed = left ^ (mix(right, part) & (half - 1))
      left = right
      right = mixed >>> 0
    }
    return left * half + right
  }
  return (index) => {
    let place = shuffle(index)
    while (place >= size) place = shuffle(place)
    return place
  }
}

/** The finish of MurmurHash3. */
function mix(value: number, key: number): number {
  let hash = (value ^ key) | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}
