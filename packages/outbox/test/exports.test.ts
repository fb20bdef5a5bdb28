import * as outbox from '@org/db-outbox'
import { expect, it } from 'vitest'

it('exports what the package promises, and no more', () => {
  expect(Object.keys(outbox).sort()).toEqual(['OutboxError', 'createOutbox', 'outboxSchema'])
})
