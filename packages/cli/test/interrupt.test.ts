import { once } from 'node:events'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { start } from './support/program.ts'
import { orgdb } from './support/stage.ts'

/** A server that takes connections and never answers. */
const silent = createServer(() => undefined)
let url = ''
beforeAll(async () => {
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  const address = silent.address()
  url = `postgresql://a:b@127.0.0.1:${typeof address === 'object' ? address?.port : 0}/x`
})
afterAll(() => {
  silent.close()
})

describe('Ctrl-C', () => {
  it('ends what waits for a server that does not answer', async () => {
    const startedAt = performance.now()
    const said = await orgdb(['config', 'mark', '--url', url, '--yes', '--json'], {
      signal: AbortSignal.timeout(300),
    })
    expect(performance.now() - startedAt).toBeLessThan(3_000)
    expect(said).toMatchObject({ exitCode: 130, err: '' })
    expect(JSON.parse(said.out)).toEqual({ error: { code: 'INTERRUPTED', message: 'Interrupted' } })
  })

  it('ends servers of orgdb dev, which stay until then', async () => {
    const dev = start(['dev', '--no-redis'])
    await new Promise<void>((resolve) => {
      dev.child.stderr.on('data', () => dev.err().includes('Ctrl-C') && resolve())
      dev.child.on('exit', () => resolve())
    })
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(dev.child.exitCode).toBe(null)
    dev.child.kill('SIGINT')
    expect(await dev.exitCode).toBe(0)
    expect(dev.out()).toBe('stopped\n')
  })
})

describe('a reader that has had enough', () => {
  it('is no error', async () => {
    const help = start(['--help'])
    help.child.stdout.destroy()
    expect(await help.exitCode).toBe(0)
    expect(help.err()).toBe('')
  })
})
