import { expect, it } from 'vitest'
import * as entry from '../src/index.ts'

it('exports what the README describes', () => {
  expect(Object.keys(entry).sort()).toEqual([
    'BaseRepository',
    'RepositoryError',
    'VersionConflictError',
    'mapper',
  ])
})
