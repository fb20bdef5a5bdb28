import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

// Node 20 does not run TypeScript by itself.
const require = createRequire(import.meta.url)
const loader = require.resolve('tsx')

interface Owned {
  readonly pids: readonly number[]
  readonly paths: readonly string[]
}

function alive(pid: number): boolean {
  try {
    // A zombie has ended: only its parent has not been told yet.
    if (process.platform === 'linux')
      return !/^\d+ \(.*\) Z/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
    process.kill(pid, 0)
    return true
  } catch {
    // There is no such process.
    return false
  }
}

/** Another process that owns servers. Killed like this, it has no chance to stop them. */
async function owner(then: string, env: Record<string, string> = {}) {
  const script = fileURLToPath(new URL('owner.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', loader, script, then], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
  })
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)))
    child.once('exit', () => reject(new Error('The owner ended early')))
  })
  return { child, exit, owned: JSON.parse(line) as Owned }
}

async function expectGone({ pids, paths }: Owned): Promise<void> {
  await expect.poll(() => pids.filter(alive), { timeout: 10_000 }).toEqual([])
  await expect.poll(() => paths.filter((path) => existsSync(path)), { timeout: 5_000 }).toEqual([])
}

describe('servers whose process dies', () => {
  it('are gone after kill -9, with their files', async () => {
    const { child, owned } = await owner('wait')
    expect(owned.pids.filter(alive)).toEqual(owned.pids)
    child.kill('SIGKILL')
    await expectGone(owned)
  })

  it('are gone after kill -9 although PostgreSQL is paused', async () => {
    const { child, owned } = await owner('pause')
    child.kill('SIGKILL')
    await expectGone(owned)
  })

  it.each(['exit', 'fall'])('are gone after the process ended by itself: %s', async (then) => {
    const { exit, owned } = await owner(then)
    await exit
    await expectGone(owned)
  })

  it('start in several processes at once with an empty cache', async () => {
    const temporary = await mkdtemp(join(tmpdir(), 'empty-cache-'))
    // The account of the servers must be able to enter it.
    await chmod(temporary, 0o755)
    const owners = await Promise.all([1, 2, 3].map(() => owner('wait', { TMPDIR: temporary })))
    for (const { child } of owners) child.kill('SIGKILL')
    for (const { owned } of owners) await expectGone(owned)
    const cache = readdirSync(temporary).find((name) => name.startsWith('org-db-testing-cache')) ?? ''
    expect(readdirSync(join(temporary, cache))).toEqual([expect.stringMatching(/^data-.*\.\d+$/)])
    await rm(temporary, { recursive: true })
  })
})
