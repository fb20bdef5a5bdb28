export { type Distribution, type Draw, drawOf, type Skew } from './distribution.ts'
export type { Random } from './random.ts'
export { type GeneratedRows, type GenerateOptions, generate, type SeedRow } from './row.ts'
