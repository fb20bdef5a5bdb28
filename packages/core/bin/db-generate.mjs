#!/usr/bin/env node
// `prisma generate` for machines that cannot reach Prisma's download host: same arguments, same exit code.
// It never runs the schema engine, yet downloads one before it starts, so it is handed a program that is there already.
import { spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'

const require = createRequire(resolve('package.json'))
let manifest
try {
  manifest = require.resolve('prisma/package.json')
} catch (cause) {
  throw new Error('db-generate runs the `prisma` package of your project: add it to your devDependencies', {
    cause,
  })
}
const prisma = join(dirname(manifest), require(manifest).bin.prisma)
const path = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'

const child = spawn(process.execPath, [prisma, 'generate', '--no-hints', ...process.argv.slice(2)], {
  stdio: 'inherit',
  env: {
    // No look-up of newer versions, which waits for the network too.
    CHECKPOINT_DISABLE: '1',
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    ...process.env,
    // Generators such as `db-metadata` are found as in a package script, however this was started.
    [path]: [resolve('node_modules/.bin'), process.env[path]].filter(Boolean).join(delimiter),
  },
})
child.on('close', (code) => {
  process.exitCode = code ?? 1
})
