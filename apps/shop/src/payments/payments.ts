import type { Outbox } from '@org/db-outbox'
import { SagaFailure, type Verdict } from '@org/db-saga'
import { Agent, type Dispatcher } from 'undici'

/** The payment provider as the shop uses it. */
export interface Payments {
  /** Charges once for each key, which is returned. @throws SagaFailure `card-declined` */
  charge(payment: Payment): Promise<string>
  /** What became of a charge whose answer got lost. */
  find(key: string, signal: AbortSignal): Promise<Verdict<string>>
  /** Gives the money back, if there was any, and sees to it that none is taken later. */
  refund(payment: Payment): Promise<void>
  close(): Promise<void>
}

/** One payment. */
export interface Payment {
  readonly key: string
  readonly cents: number
  readonly signal: AbortSignal
}

/** The provider at `url`; it tells of charges at `callback`, if there is one. */
export function openPayments(url: () => string, callback?: () => string | undefined): Payments {
  const agent = new Agent({ connections: 32 })
  async function ask(
    method: Dispatcher.HttpMethod,
    path: string,
    signal: AbortSignal,
    wish?: object,
  ): Promise<{ readonly status: number }> {
    const { statusCode: status, body } = await agent.request({
      origin: url(),
      method,
      path,
      signal,
      ...(wish && { body: JSON.stringify(wish), headers: { 'content-type': 'application/json' } }),
    })
    await body.dump()
    if (status >= 500) throw new Error(`The payment provider answered ${status}`)
    return { status }
  }
  return {
    async charge({ key, cents, signal }) {
      const to = callback?.()
      const { status } = await ask('POST', '/charges', signal, {
        key,
        cents,
        ...(to !== undefined && { callback: to }),
      })
      if (status !== 200) throw new SagaFailure('card-declined')
      return key
    },
    async find(key, signal) {
      const { status } = await ask('GET', `/charges/${encodeURIComponent(key)}`, signal)
      return status === 200 ? { outcome: 'done', value: key } : { outcome: 'absent' }
    },
    async refund({ key, cents, signal }) {
      await ask('POST', '/refunds', signal, { key, cents })
    },
    close: () => agent.close(),
  }
}

/** Tells the feed that a payment is settled: once, although the provider may have answered twice. */
export async function paymentSettled(
  outbox: Outbox,
  { id, key, cents }: { readonly id: string; readonly key: string; readonly cents: number },
): Promise<void> {
  await outbox.once({ scope: 'payments', id }, () =>
    // The key is that of the step: the order's id, and `charge`.
    outbox.emit({ topic: 'payment.settled', key: `order:${key.split('/')[0]}`, payload: { key, cents } }),
  )
}
