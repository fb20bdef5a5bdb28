import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { TestingError } from './errors.ts'

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)))
  })
}

/**
 * A free port on the loopback interface, below the range that systems give to outgoing connections: there, a
 * client that reconnects to a stopped server could be given the server's own port.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const port = randomInt(12_000, 32_000)
    if (await isFree(port)) return port
  }
  throw new TestingError('DB_TESTING_ENVIRONMENT', 'No free port found on 127.0.0.1')
}
