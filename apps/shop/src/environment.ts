import { existsSync } from 'node:fs'
import { type DatabaseConfigInput, fromEnv, isDbError } from '@org/db-core'

/** What the process is told by its environment, or by the file `.env` beside it. */
export interface ShopEnvironment {
  readonly database: DatabaseConfigInput
  /** `HOST`, default 127.0.0.1. */
  readonly host: string
  /** `PORT`, default 3000; 0 for any free one. */
  readonly port: number
  /** `SHOP_RETRIES`, default `on`; `off` to see what they are good for. */
  readonly retries: boolean
  /** `REDIS_URL`, of a Redis that the shop's processes share; none by default. */
  readonly redisUrl: string | undefined
  /** `PAYMENTS_URL`, of the payment provider; by default one of the shop's own. */
  readonly paymentsUrl: string | undefined
}

/** An environment variable is wrong; the message says which. */
class EnvironmentError extends Error {
  override readonly name = 'EnvironmentError'
}

/** Reads the environment; `.env` only fills in what is not set. @throws EnvironmentError */
export function environment(): ShopEnvironment {
  if (existsSync('.env')) process.loadEnvFile('.env')
  const { HOST: host = '127.0.0.1', PORT: port = '3000' } = process.env
  if (!/^\d{1,5}$/u.test(port) || Number(port) > 65_535) {
    throw new EnvironmentError('PORT must be a whole number from 0 to 65535')
  }
  return {
    database: fromEnv(),
    host,
    port: Number(port),
    retries: retriesFrom(process.env),
    redisUrl: process.env.REDIS_URL || undefined,
    paymentsUrl: process.env.PAYMENTS_URL || undefined,
  }
}

/** Whether the environment wants retries. @throws EnvironmentError */
export function retriesFrom({ SHOP_RETRIES: retries = 'on' }: NodeJS.ProcessEnv): boolean {
  if (retries !== 'on' && retries !== 'off') throw new EnvironmentError('SHOP_RETRIES must be on or off')
  return retries === 'on'
}

/** Tells the operator why the process can't go on, and makes it end with code 1. */
export function sayWhy(error: unknown): void {
  // The messages of database errors say all there is to know; a stack helps only with our own mistakes.
  const known = error instanceof EnvironmentError || isDbError(error)
  console.error(known ? error.message : error)
  process.exitCode = 1
}
