import { Decimal } from '@prisma/client/runtime/client'

/** A Decimal's inside: digits in groups of seven, sign, exponent of the first digit. */
interface Inside {
  readonly constructor: unknown
  readonly s: number
  readonly e: number
  readonly d: readonly number[]
}

type Make = new (s: number, e: number, d: readonly number[]) => Inside

/** Fills in what the constructor would, in the same order. */
const Made = function (
  this: { -readonly [P in keyof Inside]: Inside[P] },
  s: number,
  e: number,
  d: number[],
) {
  this.constructor = Decimal
  this.s = s
  this.e = e
  this.d = d
} as unknown as Make
Object.defineProperty(Made, 'prototype', { value: Decimal.prototype })

const [minus, point, zero] = [45, 46, 48]
const scales = [1e7, 1e6, 1e5, 1e4, 1e3, 1e2, 1e1, 1]
const group = 7

/**
 * Reads the server's text of a `numeric`. Decimal's own parser costs ten times as much, so that prices and amounts,
 * one to seven digits before the point and at most seven behind it, are put together here.
 */
export function parseDecimalText(bytes: Buffer, from: number, to: number): Decimal {
  return (isLayoutKnown && usualDecimal(bytes, from, to)) || new Decimal(bytes.toString('latin1', from, to))
}

function usualDecimal(bytes: Buffer, from: number, to: number): Decimal | undefined {
  const isNegative = bytes[from] === minus
  const start = isNegative ? from + 1 : from
  let at = start
  let whole = 0
  for (; at < to; at++) {
    const code = bytes[at] as number
    if (code === point) break
    if (code < zero || code > zero + 9 || at - start >= group) return undefined
    whole = whole * 10 + code - zero
  }
  // Zeros in front are no digits of the exponent.
  if (whole === 0) return undefined
  const exponent = at - start - 1
  let part = 0
  const behind = to - at - 1
  if (behind === 0 || behind > group) return undefined
  for (at++; at < to; at++) {
    const digit = (bytes[at] as number) - zero
    if (digit < 0 || digit > 9) return undefined
    part = part * 10 + digit
  }
  const groups = part === 0 ? [whole] : [whole, part * (scales[behind] as number)]
  return new Made(isNegative ? -1 : 1, exponent, groups) as unknown as Decimal
}

/** Another version of the library may keep its numbers in another way. */
const isLayoutKnown = ['1.5', '-1234567.0000001', '10.00', '7', '100', '99.90'].every((text) => {
  const [own, theirs] = [usualDecimal(Buffer.from(text), 0, text.length), new Decimal(text)]
  return (
    own !== undefined &&
    JSON.stringify(Object.entries(own).slice(1)) === JSON.stringify(Object.entries(theirs).slice(1)) &&
    Object.keys(own).join() === Object.keys(theirs).join() &&
    own.constructor === theirs.constructor
  )
})
