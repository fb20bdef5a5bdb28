/**
 * Numbers that look random and follow from a key alone: integer arithmetic only, so every machine and every version of
 * Node computes the same. The algorithm (sfc32) is part of what the package promises: it changes with a major version.
 */
export interface Random {
  /** From 0 up to, not including, 1; in steps of 2^-53. */
  next(): number
  /** A whole number from `min` to `max`, both included. */
  int(min: number, max: number): number
  /** `true` so often: 0.25 is one time in four. */
  chance(probability: number): boolean
  /** One of the list, all alike. */
  pick<T>(list: readonly T[]): T
  /** A name of the record, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name
  /** A point in time from `from` up to, not including, `to`, in whole milliseconds. */
  date(from: Date, to: Date): Date
  /** Around `mean`, bell-shaped, within six deviations: a sum of twelve numbers, so that it is exact everywhere. */
  normal(mean: number, deviation: number): number
  /** A UUID (version 4). */
  uuid(): string
}

/** The state of a generator, 128 bits. */
export type RandomKey = readonly [a: number, b: number, c: number, d: number]

/** A generator that can be put to any place of its sequence at once; one object serves a million rows. */
export interface KeyedRandom extends Random {
  /** Back to the first number that `index` has under the key. */
  moveTo(index: number): void
}

const two32 = 4_294_967_296

/** Makes the generator of a key. */
export function keyedRandom(key: RandomKey): KeyedRandom {
  let [a, b, c, d] = key

  function draw(): number {
    const sum = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + sum) | 0
    return sum >>> 0
  }
  const next = (): number => ((draw() >>> 5) * 67_108_864 + (draw() >>> 6)) / 9_007_199_254_740_992
  const int = (min: number, max: number): number => min + Math.floor(next() * (max - min + 1))

  return {
    moveTo(index) {
      a = key[0] ^ (index >>> 0)
      b = key[1] ^ Math.floor(index / two32)
      c = key[2]
      d = key[3]
      // Neighbours must not look alike.
      for (let round = 0; round < 12; round++) draw()
    },
    next,
    int,
    chance: (probability) => next() < probability,
    pick: (list) => list[Math.floor(next() * list.length)] as never,
    weighted(weights) {
      const entries = Object.entries(weights) as [never, number][]
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        left -= weight
        if (left < 0) return name
      }
      return entries[entries.length - 1]?.[0] as never
    },
    date: (from, to) => new Date(from.getTime() + Math.floor(next() * (to.getTime() - from.getTime()))),
    normal(mean, deviation) {
      let sum = -6
      for (let part = 0; part < 12; part++) sum += next()
      return mean + deviation * sum
    },
    uuid() {
      const text = [draw(), draw(), draw(), draw()].map((part) => part.toString(16).padStart(8, '0')).join('')
      const variant = '89ab'[Number.parseInt(text[16] ?? '0', 16) & 3]
      return `${text.slice(0, 8)}-${text.slice(8, 12)}-4${text.slice(13, 16)}-${variant}${text.slice(17, 20)}-${text.slice(20)}`
    },
  }
}
