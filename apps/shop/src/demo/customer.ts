import { isDeepStrictEqual } from 'node:util'
import type { Dispatcher } from 'undici'
import type { Order } from '../order-repository.ts'
import type { OrderRequest } from '../place-order.ts'
import type { Tally } from './tally.ts'

/** What a customer needs to go shopping. */
export interface CustomerOptions {
  readonly name: string
  /** The API. */
  readonly http: Dispatcher
  readonly tally: Tally
  readonly random: () => number
  /** Chooses what to buy next. */
  readonly wish: (random: () => number) => OrderRequest['items']
  readonly genres: readonly string[]
  /** Ends the shopping. */
  readonly signal: AbortSignal
}

interface Answer {
  readonly status: number
  readonly body: {
    readonly error?: { readonly code: string; readonly reason?: string; readonly orderId?: string }
  }
  readonly retryAfterMs: number
}

/** Shops until the signal: mostly orders, sometimes a look around, rarely a mistake. Refused orders are given up. */
export async function shopAround(options: CustomerOptions): Promise<void> {
  const { random, signal, name, wish } = options
  for (let number = 1; !signal.aborted; number++) {
    const dice = random()
    if (dice < 0.1) await browse(options)
    else if (dice < 0.11) await order(options, `${name}/${number}`, [{ filmId: 1, quantity: 0 }])
    else if (dice < 0.12) await order(options, `${name}/${number}`, [{ filmId: 2_000_000_000, quantity: 1 }])
    else await order(options, `${name}/${number}`, wish(random))
  }
}

async function browse(options: CustomerOptions): Promise<void> {
  const { random, genres } = options
  const genre = genres[Math.floor(random() * genres.length)] ?? ''
  const query = new URLSearchParams({ genre, page: String(1 + Math.floor(random() * 3)) })
  const answer = await ask(options, 'browse', { method: 'GET', path: `/films?${query}` })
  if (answer) await pause(answer.retryAfterMs, options.signal)
}

async function order(
  options: CustomerOptions,
  customer: string,
  items: OrderRequest['items'],
): Promise<void> {
  const { tally } = options
  const answer = await ask(options, 'order', {
    method: 'POST',
    path: '/orders',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ customer, items }),
  })
  if (answer?.status === 201) {
    const { id, totalCents } = answer.body as unknown as Order
    tally.attempted({ customer, items, outcome: 'placed', orderId: id, totalCents })
    if (options.random() < 0.1) await readBack(options, id, answer.body)
    return
  }
  const error = answer?.body.error
  // 202: the shop is still at it.
  const isOpen = !answer || answer.status === 202 || error?.code === 'OUTCOME_UNKNOWN'
  const outcome = isOpen ? 'unknown' : 'refused'
  tally.attempted({
    customer,
    items,
    outcome,
    ...(error?.orderId !== undefined && { orderId: error.orderId }),
  })
  await pause(answer?.retryAfterMs ?? 1_000, options.signal)
}

async function readBack(options: CustomerOptions, id: string, expected: unknown): Promise<void> {
  const answer = await ask(options, 'read back', { method: 'GET', path: `/orders/${id}` })
  if (answer?.status === 200 && !isDeepStrictEqual(answer.body, expected)) options.tally.misread.push(id)
  if (answer) await pause(answer.retryAfterMs, options.signal)
}

/** `undefined` when there was no answer. */
async function ask(
  { http, tally }: CustomerOptions,
  kind: 'order' | 'browse' | 'read back',
  request: Omit<Dispatcher.RequestOptions, 'origin'>,
): Promise<Answer | undefined> {
  const startedAt = performance.now()
  try {
    const { statusCode: status, headers, body: stream } = await http.request(request)
    const body = (await stream.json()) as Answer['body']
    const words = [status, body.error?.code, body.error?.reason].filter((word) => word !== undefined)
    tally.answered(kind, words.join(' '), performance.now() - startedAt)
    return { status, body, retryAfterMs: Number(headers['retry-after'] ?? 0) * 1_000 }
  } catch {
    // Whatever broke on the way: the customer only knows that no answer came.
    tally.answered(kind, 'no answer', performance.now() - startedAt)
    return undefined
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (ms === 0 || signal.aborted) return
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
    function done(): void {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
  })
}
