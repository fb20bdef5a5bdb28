/** A text as PostgreSQL can store it, not longer than `length`: what is none of its characters becomes `�`. */
export function storableText(text: string, length: number): string {
  return text
    .slice(0, length)
    .replaceAll(/\0|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD')
}
