import * as retry from '@org/db-retry'
import { expect, it } from 'vitest'

it('exports what the package promises, and no more', () => {
  expect(Object.keys(retry).sort()).toEqual([
    'RetryConfigError',
    'RetryError',
    'retry',
    'retrying',
    'withRetry',
  ])
})
