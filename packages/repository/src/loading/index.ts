export type { Found } from './by-ids.ts'
export { type Loading, type LoadingSetup, loading, type StreamOptions } from './loading.ts'
