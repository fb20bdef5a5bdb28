export { type CacheDriverLike, type CacheDriverSuite, testCacheDriver } from './cache-driver-suite.ts'
