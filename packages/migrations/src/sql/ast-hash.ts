import { createHash } from 'node:crypto'
import type { SqlStatement } from './parser.ts'

/** Where in the text something stands, which a comment or a line break changes and the meaning doesn't. */
const positions = /(^|_)(location|len|start|end)$/

/**
 * A hash of what the statements mean: comments, white space, letter case of keywords and line ends don't count,
 * constants do.
 */
export function astHash(statements: readonly SqlStatement[]): string {
  const hash = createHash('sha256')
  for (const { tree } of statements) {
    hash.update(
      JSON.stringify(tree, (key, value) =>
        positions.test(key) && typeof value === 'number' ? undefined : value,
      ),
    )
    hash.update('\n')
  }
  return hash.digest('hex')
}
