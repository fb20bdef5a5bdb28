import * as root from '@org/db-seed'
import * as commands from '@org/db-seed/commands'
import * as data from '@org/db-seed/data'
import * as faker from '@org/db-seed/faker'
import * as reference from '@org/db-seed/reference'
import { expect, it } from 'vitest'

it('has these names, and no others', () => {
  expect(Object.keys(root).sort()).toEqual(['BaseSeeder', 'SeedError', 'createSeeds', 'seedSchema'])
  expect(Object.keys(commands)).toEqual(['seedCommands'])
  expect(Object.keys(data).sort()).toEqual(['drawOf', 'generate'])
  expect(Object.keys(faker).sort()).toEqual(['person', 'rowFaker'])
  expect(Object.keys(reference).sort()).toEqual(['countries', 'currencies', 'currenciesPublishedOn'])
})
