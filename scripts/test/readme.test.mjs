import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readmeModules } from '../lib/readme-blocks.mjs'
import { checkReadmes } from '../lib/readme-program.mjs'
import { fixture } from './fixture.mjs'

const workspace = {
  'tsconfig.base.json': {
    compilerOptions: { strict: true, target: 'ES2022', module: 'NodeNext', types: [] },
  },
  'package.json': { type: 'module' },
  'packages/core/package.json': {
    name: '@org/db-core',
    type: 'module',
    exports: { '.': { '@org/source': './src/index.ts' }, './client': { '@org/source': './src/client.ts' } },
  },
  'packages/core/src/index.ts': 'export const answer: number = 42\n',
  'packages/core/src/client.ts': 'export const open = (url: string): { url: string } => ({ url })\n',
  'prisma/package.json': { name: '@org/prisma', type: 'module' },
  'prisma/generated/client/client.ts': 'export class PrismaClient { films = 1 }\n',
}

function problemsOf(lines) {
  const root = fixture({ ...workspace, 'README.md': lines.join('\n') })
  return checkReadmes([join(root, 'README.md')], root).problems
}

describe('readmeModules', () => {
  it('makes a module of each block and appends continued ones', () => {
    const markdown = [
      '```ts',
      'a',
      '```',
      '```sh',
      'x',
      '```',
      '~~~ts continued',
      'b',
      '~~~',
      '```ts',
      'c',
      '```',
    ]
    const { modules, problems } = readmeModules(markdown.join('\n'))
    expect(problems).toEqual([])
    expect(modules).toEqual([
      { path: 'example-1.ts', text: 'a\nb\n', lines: [2, 8] },
      { path: 'example-2.ts', text: 'c\n', lines: [11] },
    ])
  })

  it('takes the indent of a block in a list away', () => {
    const { modules } = readmeModules('- item\n  ```ts src/db.ts\n  if (a) {\n    b\n\n  }\n  ```\n')
    expect(modules).toEqual([{ path: 'src/db.ts', text: 'if (a) {\n  b\n\n}\n', lines: [3, 4, 5, 6] }])
  })

  it('refuses words it does not know and a continuation of nothing', () => {
    const { problems } = readmeModules('```ts continued\n```\n```ts no-check\n```\n')
    expect(problems.map(({ line }) => line)).toEqual([1, 3])
  })
})

describe('checkReadmes', () => {
  it('accepts examples that use our packages, the generated client and files of the same README', () => {
    const lines = [
      '```ts src/db.ts',
      `import { open } from '@org/db-core/client'`,
      `import { PrismaClient } from './generated/prisma/client.ts'`,
      'export const db = { ...open(""), films: new PrismaClient().films }',
      '```',
      '```ts',
      `import { answer } from '@org/db-core'`,
      `import { db } from './src/db.ts'`,
      'const sum: number = db.films + answer',
      '```',
      '```ts',
      'const sum = "another module"',
      '```',
    ]
    expect(problemsOf(lines)).toEqual([])
  })

  it('tells the file, line and column of an error, in continued blocks too', () => {
    const lines = [
      '# T',
      '```ts',
      'const a = 1',
      '```',
      'text',
      '```ts continued',
      'const b: string = a',
      '```',
    ]
    expect(problemsOf(lines)).toEqual([
      `README.md:7:7 - error TS2322: Type 'number' is not assignable to type 'string'.`,
    ])
  })

  it('finds an export that does not exist, a package that does not exist and broken syntax', () => {
    const lines = [
      '```ts',
      `import { question } from '@org/db-core'`,
      `import { x } from '@org/db-nothing'`,
      '```',
      '```ts',
      'const a: = 1',
      '```',
    ]
    expect(problemsOf(lines).map((problem) => problem.split(':').slice(0, 3).join(':'))).toEqual([
      'README.md:2:10 - error TS2305',
      'README.md:3:19 - error TS2307',
      'README.md:6:10 - error TS1110',
    ])
  })
})
