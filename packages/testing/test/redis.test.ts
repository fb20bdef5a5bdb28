import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RedisServer, startRedis } from '../src/index.ts'
import { missingServer } from '../src/vitest.ts'

describe.skipIf(await missingServer('redis'))('startRedis', () => {
  let server: RedisServer
  let redis: Redis
  beforeAll(async () => {
    server = await startRedis({ settings: { 'maxmemory-policy': 'allkeys-lru' } })
    redis = new Redis(server.url, { retryStrategy: () => 20 })
    redis.on('error', () => {})
  })
  afterAll(async () => {
    redis.disconnect()
    await server.stop()
  })

  it('answers, with the settings given', async () => {
    await redis.set('film', 'Alien')
    expect(await redis.get('film')).toBe('Alien')
    expect(await redis.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'allkeys-lru'])
  })

  it('asks for a password', async () => {
    const stranger = new Redis({ port: server.port, host: server.host, lazyConnect: true })
    stranger.on('error', () => {})
    await expect(stranger.get('film')).rejects.toThrow('NOAUTH')
    stranger.disconnect()
  })

  it('comes back empty on the same port after it was killed', async () => {
    await redis.set('film', 'Alien')
    await server.kill()
    await server.start()
    expect(await redis.get('film')).toBeNull()
  })

  it('answers nothing while it is paused', async () => {
    await redis.set('film', 'Alien')
    server.pause()
    const answer = redis.get('film')
    expect(await Promise.race([answer, delay(100, 'nothing')])).toBe('nothing')
    server.resume()
    expect(await answer).toBe('Alien')
  })
})
