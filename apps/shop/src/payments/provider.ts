import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How often the provider misbehaves, each from 0 to 1. */
export interface Troubles {
  /** Answers 500 and has done nothing. */
  readonly fails: number
  /** Does it and answers 500. */
  readonly forgets: number
  /** Does it and never answers. */
  readonly hangs: number
  /** Declines the card, and says so. */
  readonly declines: number
  /** Answers twice: tells of the charge at the callback, too. */
  readonly repeats: number
}

/** What the provider has in its books for one key. */
export interface Charge {
  readonly key: string
  readonly cents: number
  /** 0 or 1, whatever it was asked. */
  charged: number
  refunded: number
  /** How often it was asked to charge. */
  asked: number
}

/** A payment provider as they are on bad days; its books are right, what it says is not to be relied on. */
export interface PaymentProvider {
  readonly url: string
  readonly books: ReadonlyMap<string, Charge>
  /** How often it has misbehaved, by kind. */
  readonly mischief: Readonly<Record<keyof Troubles, number>>
  stop(): Promise<void>
}

/** A provider on its best behaviour. */
export const noTroubles: Troubles = { fails: 0, forgets: 0, hangs: 0, declines: 0, repeats: 0 }

/** One that fails, times out and answers twice. */
export const manyTroubles: Troubles = { fails: 0.1, forgets: 0.08, hangs: 0.05, declines: 0.04, repeats: 0.1 }

/**
 * Starts a provider on a free port: `POST /charges` and `POST /refunds` with `{ key, cents, callback }`, and `GET /charges/KEY`. What
 * comes again under a key is the same charge. A refunded key can't be charged any more.
 */
export async function startPaymentProvider(
  troubles: Troubles = noTroubles,
  random: () => number = Math.random,
): Promise<PaymentProvider> {
  const books = new Map<string, Charge>()
  const declined = new Set<string>()
  const mischief = { fails: 0, forgets: 0, hangs: 0, declines: 0, repeats: 0 }
  const happens = (kind: keyof Troubles): boolean => {
    if (random() >= troubles[kind]) return false
    mischief[kind] += 1
    return true
  }
  const entry = (key: string, cents: number): Charge => {
    const known = books.get(key) ?? { key, cents, charged: 0, refunded: 0, asked: 0 }
    books.set(key, known)
    return known
  }

  function tell({ key, cents }: Charge, callback: string): void {
    const body = JSON.stringify({ id: `settled:${key}`, key, cents })
    // Whoever does not listen is not told again.
    fetch(callback, { method: 'POST', headers: { 'content-type': 'application/json' }, body }).catch(
      () => undefined,
    )
  }

  /** What it answers; nothing where it hangs. */
  function charge({ key, cents, callback }: Wish): Answer | undefined {
    const it = entry(key, cents)
    it.asked += 1
    if (declined.has(key) || (it.asked === 1 && happens('declines'))) {
      declined.add(key)
      return [402, { error: 'card-declined' }]
    }
    if (it.refunded > 0) return [409, { error: 'refunded' }]
    if (happens('fails')) return outOfOrder
    if (callback !== undefined && happens('repeats')) tell(it, callback)
    it.charged = 1
    if (happens('hangs')) return undefined
    return happens('forgets') ? outOfOrder : [200, { id: `charge of ${key}` }]
  }

  function refund({ key, cents }: Wish): Answer | undefined {
    if (happens('fails')) return outOfOrder
    // A charge that is still on its way comes too late.
    entry(key, cents).refunded = 1
    if (happens('hangs')) return undefined
    return happens('forgets') ? outOfOrder : [200, {}]
  }

  function find(key: string): Answer {
    if (happens('fails')) return outOfOrder
    return books.get(key)?.charged ? [200, { id: `charge of ${key}` }] : [404, {}]
  }

  const server = createServer(async (request, response) => {
    const { method, url = '' } = request
    const said =
      method === 'GET'
        ? find(decodeURIComponent(url.slice('/charges/'.length)))
        : (url === '/charges' ? charge : refund)(await read(request))
    if (!said) return
    const [status, body] = said
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    books,
    mischief,
    async stop() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

interface Wish {
  readonly key: string
  readonly cents: number
  readonly callback?: string
}

type Answer = readonly [status: number, body: object]
const outOfOrder: Answer = [500, { error: 'out of order' }]

async function read(request: IncomingMessage): Promise<Wish> {
  let text = ''
  for await (const chunk of request) text += chunk
  return JSON.parse(text) as Wish
}
