import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import pg from 'pg'
import { describe, expect, it, vi } from 'vitest'
import { lockFilms } from './locked-films.ts'
import { emptyDatabase } from './test-shop.ts'

const cwd = fileURLToPath(new URL('..', import.meta.url))
const start = (env: Readonly<Record<string, string>>) =>
  spawn(process.execPath, ['--conditions=@org/source', '--import', 'tsx', 'src/main.ts'], {
    cwd,
    // A variable that is set, even to nothing, is not read from a `.env` that someone left there.
    env: { PATH: process.env.PATH, HOST: '127.0.0.1', PORT: '0', DB_POOL_MODE: '', DATABASE_URL: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })

/** All that the process has printed so far. */
function output(child: ChildProcess): () => string {
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (text += chunk))
  return () => text
}

describe('main', () => {
  it('says which variable is wrong', async () => {
    const child = start({ DB_POOL_MAX: 'many' })
    const printed = output(child)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(printed()).toContain('DATABASE_URL')
    expect(printed()).toContain('DB_POOL_MAX')
    expect(printed()).not.toContain('    at ')
  })

  it('says that the server can not be reached, without the password', async () => {
    const child = start({ DATABASE_URL: 'postgresql://shop:hunter2@127.0.0.1:1/shop' })
    const printed = output(child)
    expect(await once(child, 'exit')).toEqual([1, null])
    expect(printed()).toContain('could not reach the database server at 127.0.0.1:1/shop')
    expect(printed()).not.toContain('hunter2')
  })

  it('finishes what is in progress when it is told to end', async () => {
    await using database = await emptyDatabase()
    const shop = new pg.Client({ connectionString: database.url })
    await shop.connect()
    await shop.query(
      "INSERT INTO film (id, title, price_cents, stock, updated_at) VALUES (1, 'One', 100, 1, now())",
    )
    await shop.end()
    const child = start({ DATABASE_URL: database.url })
    const printed = output(child)
    const exited = once(child, 'exit')
    const url = await vi.waitFor(() => opened(printed()), { timeout: 20_000 })

    await using films = await lockFilms(database.url)
    const order = fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ customer: 'Ann', items: [{ filmId: 1, quantity: 1 }] }),
    })
    await films.waitedFor()
    child.kill('SIGTERM')
    await vi.waitFor(() => expect(fetch(`${url}/health`)).rejects.toThrow('fetch failed'))
    await films.release()

    expect((await order).status).toBe(201)
    expect(await exited).toEqual([0, null])
  })
})

function opened(text: string): string {
  const [, url] = /The shop is open: (\S+)\/films/u.exec(text) ?? []
  if (url === undefined) throw new Error(`Not open yet: ${text}`)
  return url
}
