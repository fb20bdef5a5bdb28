export { type Keyset, type KeysetSetup, keyset } from './keyset.ts'
export type { KeysetPage } from './keyset-page.ts'
export type { KeysetOptions, KeysetOrder } from './keyset-types.ts'
