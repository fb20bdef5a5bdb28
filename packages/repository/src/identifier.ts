/** A name as SQL has it: `"film"`. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
