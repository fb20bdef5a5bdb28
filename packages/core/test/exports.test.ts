import * as core from '@org/db-core'
import * as client from '@org/db-core/client'
import * as generator from '@org/db-core/generator'
import * as pgbouncer from '@org/db-core/pgbouncer'
import { expect, it } from 'vitest'

it('exports what the package promises, and no more', () => {
  expect({
    '.': Object.keys(core).sort(),
    './client': Object.keys(client).sort(),
    './generator': Object.keys(generator).sort(),
    './pgbouncer': Object.keys(pgbouncer).sort(),
  }).toEqual({
    '.': [
      'ConfigError',
      'ConstraintError',
      'DatabaseError',
      'DbError',
      'SchemaInstallError',
      'classify',
      'compose',
      'createEvents',
      'currentContext',
      'databaseOf',
      'fromEnv',
      'installSchema',
      'isDbError',
      'kindOfAction',
      'modelsOf',
      'parseConfig',
      'restoreContext',
      'runInContext',
      'stages',
      'systemClock',
      'withoutFastPath',
    ],
    './client': ['createDatabase', 'fromEnv'],
    './generator': ['serveGenerator', 'toMetadata'],
    './pgbouncer': ['pgBouncerIni'],
  })
})
