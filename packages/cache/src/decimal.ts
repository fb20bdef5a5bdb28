import { createRequire } from 'node:module'
import { CacheError } from './errors.ts'

/** Makes decimals: Prisma's `Decimal`, decimal.js or a like class. */
export type DecimalClass = new (text: string) => unknown

let found: DecimalClass | undefined

/** Makes a decimal from text, by the class given, else by that of the Prisma client that is installed. */
export function decimalReviver(given: DecimalClass | undefined): (text: string) => unknown {
  return (text) => {
    found ??= given ?? prismaDecimal()
    return new (given ?? found)(text)
  }
}

function prismaDecimal(): DecimalClass {
  try {
    const runtime: { Decimal: DecimalClass } = createRequire(import.meta.url)('@prisma/client/runtime/client')
    return runtime.Decimal
  } catch (cause) {
    throw new CacheError(
      'DB_CACHE_DECODE',
      'A stored decimal needs the option `decimal`: no Prisma client is installed',
      {
        cause,
      },
    )
  }
}
