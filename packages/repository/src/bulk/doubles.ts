import type { FieldMetadata } from '@org/db-core'

/** The same text for values that the server takes for equal. */
export function textOfDouble(text: string, { nativeType }: FieldMetadata): string {
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
