export type { Cache, CachedRead, CacheOptions } from './cache.ts'
export { type Codec, type CodecOptions, jsonCodec, messagePackCodec } from './codec.ts'
export type { CompressionOptions } from './compression.ts'
export { createCache } from './create-cache.ts'
export { type MemoryDriverOptions, memoryDriver } from './drivers/memory.ts'
export { tieredDriver } from './drivers/tiered.ts'
export { CacheError, type CacheErrorCode, CacheOptionsError, type OptionProblem } from './errors.ts'
export type { CacheEvents, CacheMetrics } from './events.ts'
export {
  type CacheInterceptor,
  type CacheInterceptorOptions,
  cache,
  type ModelInvalidation,
} from './interceptor.ts'
export type { ModelPolicy } from './model-policies.ts'
export type { CacheNamespace } from './namespace.ts'
export type { CachePolicy } from './policy.ts'
export type {
  CacheBus,
  CacheDriver,
  CacheEntry,
  CacheFailure,
  CacheLease,
  CacheLock,
  Invalidation,
  Loading,
} from './types.ts'
export {
  type CacheableRepository,
  type MethodPolicy,
  type WithCacheOptions,
  withCache,
} from './with-cache.ts'
export {
  createWriteBehind,
  type WriteBehind,
  type WriteBehindDatabase,
  type WriteBehindEvents,
  type WriteBehindOptions,
  writeBehindSchema,
} from './write-behind.ts'
export {
  memoryQueue,
  type QueuedWrite,
  type QueuedWrites,
  type WriteQueue,
  type WriteQueueOptions,
} from './write-queue.ts'
