import { randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { findExecutable } from './executable.ts'
import { freePort } from './port.ts'
import { serverProcess } from './server-process.ts'
import { serverDirectory, writePrivate } from './temporary.ts'

/** How a Redis is to run. */
export interface RedisOptions {
  /** Further settings of `redis.conf`, which win over ours. Default none: nothing is kept over `kill()`. */
  readonly settings?: Readonly<Record<string, string | number>>
  /** How long a start may take. Default `10_000`. */
  readonly startTimeoutMs?: number
}

/** A running Redis that belongs to this process and disappears with it. */
export interface RedisServer extends AsyncDisposable {
  /** With password: `redis://:…@127.0.0.1:…`. */
  readonly url: string
  readonly port: number
  readonly host: '127.0.0.1'
  readonly pid: number
  readonly logFile: string
  /** Starts it again after `kill()`, on the same port. */
  start(): Promise<void>
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>
  /** Freezes it: sockets stay open, nothing answers. */
  pause(): void
  resume(): void
  /** Stops it for good and removes its files. */
  stop(): Promise<void>
}

/** What a person can do where Redis is missing. */
export const redisHint =
  'Install it (Debian: apt-get install redis-server; macOS: brew install redis) to run the tests that use it'

/** Asks for the directory of the server on `port`, without a client library. */
function serverPath(port: number, password: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', timeout: 2_000 })
    let answer = ''
    socket.setEncoding('utf8')
    socket.once('error', reject)
    socket.once('timeout', () => socket.destroy(new Error('Redis does not answer')))
    socket.once('close', () => resolve(answer))
    socket.on('data', (text) => {
      answer += text
    })
    socket.write(`AUTH ${password}\r\nCONFIG GET dir\r\nQUIT\r\n`)
  })
}

/**
 * Starts a Redis on a free loopback port, without persistence. Throws `DB_TESTING_BINARY_MISSING`,
 * `DB_TESTING_START_FAILED` or `DB_TESTING_START_TIMEOUT`, with the end of its log.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const command = findExecutable('redis-server', redisHint)
  const directory = await serverDirectory('redis')
  const file = (name: string) => join(directory.path, name)
  const logFile = file('server.log')
  const port = await freePort()
  const password = randomBytes(16).toString('hex')
  const settings: Record<string, string | number> = {
    bind: '127.0.0.1',
    port,
    dir: directory.path,
    requirepass: password,
    save: '""',
    appendonly: 'no',
    ...options.settings,
  }
  const server = serverProcess({
    name: 'Redis',
    command,
    args: [file('redis.conf')],
    directory: directory.path,
    logFile,
    killSignal: 'SIGKILL',
    startTimeoutMs: options.startTimeoutMs ?? 10_000,
    async ready() {
      const answer = await serverPath(port, password)
      if (!answer.includes(directory.path)) throw new Error('Redis does not answer yet')
    },
  })
  async function stop(): Promise<void> {
    await server.end('SIGKILL')
    await directory.remove()
  }

  try {
    const lines = Object.entries(settings).map(([name, value]) => `${name} ${value}`)
    await writePrivate(file('redis.conf'), `${lines.join('\n')}\n`)
    await writePrivate(logFile, '')
    await server.start()
  } catch (error) {
    await directory.remove()
    throw error
  }
  return {
    url: `redis://:${password}@127.0.0.1:${port}`,
    port,
    host: '127.0.0.1',
    logFile,
    get pid() {
      return server.pid
    },
    start: () => server.start(),
    kill: () => server.end('SIGKILL'),
    pause: () => server.pause(),
    resume: () => server.resume(),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
