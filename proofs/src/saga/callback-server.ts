import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Listens for what the payment provider tells beside its answers. */
export async function startCallbackServer(
  handle: (told: { readonly id: string; readonly key: string; readonly cents: number }) => Promise<void>,
): Promise<{ readonly url: string; readonly count: () => number; stop(): Promise<void> }> {
  let count = 0
  const server = createServer(async (request, response) => {
    let text = ''
    for await (const chunk of request) text += chunk
    count += 1
    try {
      await handle(JSON.parse(text))
      response.writeHead(204).end()
    } catch {
      // The provider does not care; the order's own saga tells the feed, too.
      response.writeHead(500).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    count: () => count,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
