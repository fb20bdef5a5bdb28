export { type RedisDriverOptions, redisDriver } from './drivers/redis.ts'
export { type RedisBusOptions, redisBus } from './drivers/redis-bus.ts'
export type { RedisLike, RedisSubscriberLike } from './drivers/redis-like.ts'
export { type RedisQueueOptions, redisQueue } from './drivers/redis-queue.ts'
