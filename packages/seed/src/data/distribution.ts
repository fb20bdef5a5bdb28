import type { Random } from './random.ts'

/**
 * How often which of many is taken. `uniform`: all alike. `zipf`: few very often, most hardly ever, as customers, tags and
 * cities are; `skew` says how steep. `even`: by turns, each as often as any other.
 */
export type Distribution = 'uniform' | 'even' | { readonly zipf: Skew }

/** The exponent of Zipf's law. Halves only: roots are exact on every machine, powers are not. */
export type Skew = 0.5 | 1 | 1.5 | 2

/** Takes a place below a size. */
export type Draw = (random: Random, index: number) => number

/** Makes the draw of a distribution over `size` places; for `zipf` the first place is the most frequent. */
export function drawOf(distribution: Distribution, size: number): Draw {
  if (distribution === 'uniform') return (random) => Math.floor(random.next() * size)
  if (distribution === 'even') return (_random, index) => index % size
  const sums = new Float64Array(size)
  let sum = 0
  for (let place = 0; place < size; place++) {
    sum += 1 / power(place + 1, distribution.zipf)
    sums[place] = sum
  }
  return (random) => search(sums, random.next() * sum)
}

function power(base: number, exponent: Skew): number {
  const whole = exponent >= 2 ? base * base : exponent >= 1 ? base : 1
  return exponent % 1 === 0 ? whole : whole * Math.sqrt(base)
}

/** The first place whose sum is above the value. */
function search(sums: Float64Array, value: number): number {
  let low = 0
  let high = sums.length - 1
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((sums[middle] ?? 0) > value) high = middle
    else low = middle + 1
  }
  return low
}
