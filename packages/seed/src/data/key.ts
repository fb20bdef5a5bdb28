import { createHash } from 'node:crypto'
import type { RandomKey } from './random.ts'

/** The key that belongs to a seed and to what it is for: the seeder, the table, the purpose. */
export function keyOf(...parts: readonly (string | number)[]): RandomKey {
  const hash = createHash('sha256').update(JSON.stringify(parts)).digest()
  return [hash.readUInt32LE(0), hash.readUInt32LE(4), hash.readUInt32LE(8), hash.readUInt32LE(12)]
}
