import type { FieldMetadata } from '@org/db-core'
import { Decimal } from '@prisma/client/runtime/client'

/** The same text for values that the server takes for equal. */
export function textOfDouble(text: string, { type, nativeType }: FieldMetadata): string {
  if (type === 'Decimal') return new Decimal(text).toFixed()
  switch (nativeType?.[0]) {
    case 'Uuid':
    case 'Citext':
      return text.toLowerCase()
    case 'Char':
      return text.trimEnd()
    default:
      return text
  }
}
