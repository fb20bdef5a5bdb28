/** The middle value, or the mean of the two middle ones; `NaN` for none. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which the fraction `q` (0 to 1) of all values lies, linear between neighbours; `NaN` for none. */
export function quantile(values: readonly number[], q: number): number {
  return sortedQuantile(Float64Array.from(values).sort(), q)
}

/** `quantile` of values that are sorted already. */
export function sortedQuantile(sorted: Float64Array, q: number): number {
  if (sorted.length === 0) return Number.NaN
  const position = (sorted.length - 1) * q
  const below = Math.floor(position)
  const low = sorted[below] ?? Number.NaN
  const high = sorted[below + 1] ?? low
  return low + (high - low) * (position - below)
}

/** How a variant compares with the baseline: the median of the rounds' ratios and the half of them around it. */
export interface Ratio {
  readonly median: number
  /** A quarter of the rounds lie below. */
  readonly low: number
  /** A quarter of the rounds lie above. */
  readonly high: number
}

/**
 * Divides round by round and only then takes the median, so that what slows the machine for one round
 * slows both sides of that round's ratio.
 */
export function pairedRatio(values: readonly number[], baseline: readonly number[]): Ratio {
  if (values.length !== baseline.length) {
    throw new RangeError(
      `Paired ratios need as many rounds on both sides: ${values.length}, ${baseline.length}`,
    )
  }
  const ratios = values.map((value, round) => value / (baseline[round] ?? Number.NaN))
  return { median: median(ratios), low: quantile(ratios, 0.25), high: quantile(ratios, 0.75) }
}
