import { describe, expect, it } from 'vitest'
import { parseArguments, UsageError } from '../src/arguments.ts'

describe('parseArguments', () => {
  it('asks for the list when nothing is given', () => {
    expect(parseArguments([])).toEqual({ name: undefined, json: false, plan: {} })
  })

  it('reads the question and what changes of its plan', () => {
    const argv = ['read-by-id', '--json', '--rounds', '3', '--seconds', '0.5', '--concurrency', '1,16']
    expect(parseArguments(argv)).toEqual({
      name: 'read-by-id',
      json: true,
      plan: { rounds: 3, seconds: 0.5, concurrency: [1, 16] },
    })
  })

  it.each([
    [['a', 'b']],
    [['a', '--rounds', '0']],
    [['a', '--rounds', '1.5']],
    [['a', '--seconds', 'x']],
    [['a', '--concurrency', '1,,2']],
    [['a', '--colour']],
  ])('refuses %j', (argv) => {
    expect(() => parseArguments(argv)).toThrow(UsageError)
  })
})
