/** A loose object of Prisma's arguments. */
export type Args = Readonly<Record<string, unknown>>

/** Whether a value is an object of arguments, not a date, a decimal, bytes or a list. */
export function isArgs(value: unknown): value is Args {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype
}

/** Prisma takes one or a list in many places. */
export function toList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** Applies `change` to one, or to each of a list. */
export function mapEach(value: unknown, change: (each: Args) => unknown): unknown {
  return Array.isArray(value)
    ? value.map((each) => (isArgs(each) ? change(each) : each))
    : isArgs(value)
      ? change(value)
      : value
}
