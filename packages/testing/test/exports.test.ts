import { expect, it } from 'vitest'
import * as conformance from '../src/conformance.ts'
import * as root from '../src/index.ts'
import * as vitest from '../src/vitest.ts'

it('exports these names', () => {
  expect(Object.keys(root).sort()).toEqual([
    'TestingError',
    'controllableClock',
    'killBackends',
    'sharedPostgres',
    'startPgBouncer',
    'startPostgres',
    'startProxy',
    'startRedis',
    'startReplica',
    'testDatabase',
    'whichServers',
  ])
  expect(Object.keys(conformance)).toEqual(['testCacheDriver'])
  expect(Object.keys(vitest).sort()).toEqual(['default', 'missingServer'])
})
