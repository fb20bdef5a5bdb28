/** What a film costs in the shop, in cents: the newer, the dearer. The list has no prices, so these are ours. */
export function priceCents(releasedOn: Date | undefined): number {
  const year = releasedOn?.getUTCFullYear()
  if (year === undefined) return 999
  if (year >= 2008) return 1_499
  if (year >= 2000) return 1_199
  return year >= 1980 ? 999 : 799
}
