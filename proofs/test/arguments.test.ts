import { describe, expect, it } from 'vitest'
import { parseArguments, UsageError } from '../src/arguments.ts'

describe('parseArguments', () => {
  it('asks for the list when nothing is given', () => {
    expect(parseArguments([])).toEqual({ name: undefined, json: false, scale: 'full' })
  })

  it('reads the promise and how it is to be shown', () => {
    const argv = ['no-oversell', '--json', '--short']
    expect(parseArguments(argv)).toEqual({ name: 'no-oversell', json: true, scale: 'short' })
  })

  it.each([[['a', 'b']], [['a', '--long']]])('refuses %j', (argv) => {
    expect(() => parseArguments(argv)).toThrow(UsageError)
  })
})
