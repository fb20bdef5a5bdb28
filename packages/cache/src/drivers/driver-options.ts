import { knownAlgorithms } from '../compression.ts'
import type { OptionProblem } from '../errors.ts'
import {
  aClock,
  aPrefix,
  aText,
  duration,
  isObject,
  objectOf,
  oneOf,
  problemsOf,
  problemsOfValue,
  required,
  shaped,
  wholeNumber,
} from '../option-problems.ts'

// What is wrong with the options of drivers, buses and queues, all of it at once.

const client = required(
  shaped(['mgetBuffer', 'evalsha', 'publish'], 'must be a client of ioredis: Redis or Cluster'),
)
const driver = required(
  shaped(['read', 'lease', 'write', 'invalidate'], 'must be a driver, such as memoryDriver()'),
)
const bus = shaped(['publish', 'subscribe', 'isLive', 'close'], 'must be a bus, such as redisBus(redis)')
const codec = shaped(['encode', 'decode'], 'must be a codec, such as jsonCodec()')
const subscriber = shaped(['subscribe', 'connect', 'disconnect'], 'must be a client of ioredis')

export const problemsOfMemory = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, {
    maxEntries: wholeNumber(1),
    maxTags: wholeNumber(1),
    copies: oneOf('private', 'shared'),
    clock: aClock,
  })

export const problemsOfTiered = (l1: unknown, l2: unknown, given: unknown): readonly OptionProblem[] => [
  ...problemsOfValue(l1, driver, 'l1'),
  ...problemsOfValue(l2, driver, 'l2'),
  ...problemsOfValue(given, bus, 'bus'),
]

export const problemsOfRedis = (given: unknown, options: unknown): readonly OptionProblem[] => [
  ...problemsOfValue(given, client, 'client'),
  ...problemsOf(options, {
    prefix: aPrefix,
    codec,
    compression: objectOf({
      algorithm: required(oneOf(...knownAlgorithms)),
      thresholdBytes: wholeNumber(0),
    }),
    commandTimeoutMs: duration(1),
    trustMs: duration(1),
    settleMs: duration(1),
    breaker: objectOf({ failures: wholeNumber(1), cooldownMs: duration() }),
    clock: aClock,
  }),
]

export function problemsOfBus(given: unknown, options: unknown): readonly OptionProblem[] {
  const isCluster = isObject(given) && Reflect.get(given, 'isCluster') === true
  const isAlone = isObject(options) && Reflect.get(options, 'subscriber') === undefined
  const missing = { field: 'subscriber', problem: 'is required with a Cluster: a client of one of its nodes' }
  return [
    ...problemsOfValue(given, client, 'client'),
    ...problemsOf(options, { channel: aText, trustMs: duration(20), subscriber }),
    ...(isCluster && isAlone ? [missing] : []),
  ]
}

export const problemsOfMemoryQueue = (options: unknown): readonly OptionProblem[] =>
  problemsOf(options, { maxPending: wholeNumber(1) })

export const problemsOfRedisQueue = (given: unknown, options: unknown): readonly OptionProblem[] => [
  ...problemsOfValue(given, client, 'client'),
  ...problemsOf(options, { prefix: aPrefix, maxPending: wholeNumber(1), commandTimeoutMs: duration(1) }),
]
