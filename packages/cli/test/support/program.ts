import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import type { Readable } from 'node:stream'
import { fileURLToPath, pathToFileURL } from 'node:url'

const main = fileURLToPath(new URL('../../bin/orgdb.mjs', import.meta.url))
const tsx = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href

/** `orgdb` in a process of its own, as a shell starts it. */
export interface Program {
  readonly child: ChildProcessByStdio<null, Readable, Readable>
  readonly exitCode: Promise<number | null>
  out(): string
  err(): string
}

export function start(argv: readonly string[], options: { readonly cwd?: string } = {}): Program {
  const child = spawn(process.execPath, ['--conditions=@org/source', '--import', tsx, main, ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    ...options,
  })
  let out = ''
  let err = ''
  child.stdout.on('data', (chunk) => {
    out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    err += String(chunk)
  })
  const exitCode = once(child, 'close').then(([code]) => code as number | null)
  return { child, exitCode, out: () => out, err: () => err }
}
