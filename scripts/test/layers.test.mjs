import { describe, expect, it } from 'vitest'
import { layerProblems } from '../lib/layers.mjs'
import { fixture } from './fixture.mjs'

function problemsOf(manifest, source) {
  const folder = fixture({ 'package.json': manifest, 'src/index.ts': source })
  return layerProblems(folder, folder)
}

const cache = { name: '@org/db-cache', dependencies: { '@org/db-core': 'workspace:^' } }

describe('layers', () => {
  it('lets layer 1 import core, Node, itself and its declared peers', () => {
    const manifest = { ...cache, peerDependencies: { '@prisma/client': '*' } }
    const source = [
      `import { DbError } from '@org/db-core'`,
      `import type { Args } from '@prisma/client/runtime/client'`,
      `import { join } from 'node:path'`,
      `import fs from 'fs'`,
      `export * from './other.ts'`,
      `export { a } from '@org/db-cache/redis'`,
    ].join('\n')
    expect(problemsOf(manifest, source)).toEqual([])
  })

  it('finds a dependency on another package of layer 1', () => {
    const manifest = { ...cache, peerDependencies: { '@org/db-retry': 'workspace:^' } }
    expect(problemsOf(manifest, '')).toEqual([
      'package.json: depends on @org/db-retry, but @org/db-cache may use @org/db-core',
    ])
  })

  it('finds an import of another package of layer 1, with its line', () => {
    const source = `import { join } from 'node:path'\n\nexport type { Retry } from '@org/db-retry/breaker'\n`
    expect(problemsOf(cache, source)).toEqual([
      'src/index.ts:3: imports @org/db-retry, but @org/db-cache may use @org/db-core',
    ])
  })

  it('finds an undeclared import, dynamic ones and import types included', () => {
    const source = `export const load = () => import('ioredis')\nexport type P = import('pg').Pool\n`
    expect(problemsOf(cache, source)).toEqual([
      'src/index.ts:1: imports ioredis, which is neither a dependency nor a peer dependency in package.json',
      'src/index.ts:2: imports pg, which is neither a dependency nor a peer dependency in package.json',
    ])
  })

  it('lets core import no package of ours, not even for tests of others', () => {
    const manifest = { name: '@org/db-core', dependencies: { '@org/db-testing': 'workspace:^' } }
    expect(problemsOf(manifest, '')).toEqual([
      'package.json: depends on @org/db-testing, but @org/db-core may use no package of ours',
    ])
  })

  it('lets the command line use migrations and the servers of tests, and nothing else', () => {
    const dependencies = { '@org/db-core': '*', '@org/db-migrations': '*', '@org/db-seed': '*' }
    expect(problemsOf({ name: '@org/db-cli', dependencies }, '')).toEqual([
      'package.json: depends on @org/db-seed, but @org/db-cli may use @org/db-core and @org/db-migrations and @org/db-testing',
    ])
  })
})
