/** Whether a key fits a pattern in which `*` stands for any text. */
export function matcherOf(pattern: string): (key: string) => boolean {
  const source = pattern
    .split('*')
    .map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    .join('[\\s\\S]*')
  const expression = new RegExp(`^${source}$`)
  return (key) => expression.test(key)
}
