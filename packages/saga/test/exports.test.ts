import * as saga from '@org/db-saga'
import { expect, it } from 'vitest'

it('exports what the package promises, and no more', () => {
  expect(Object.keys(saga).sort()).toEqual([
    'SagaError',
    'SagaFailure',
    'createSagas',
    'defineSaga',
    'sagaSchema',
  ])
})
