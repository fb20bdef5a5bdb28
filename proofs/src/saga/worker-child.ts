// A process that sees orders through until it is killed, or until its parent is gone.
import { createOutbox } from '@org/db-outbox'
import { createShop, openDatabase, openOrderDesk, type Shop } from '@org/shop/orders'

const {
  PROOF_URL: url = '',
  PROOF_POOL_MODE: mode,
  PROOF_PAYMENTS: payments = '',
  PROOF_CALLBACK: callback,
  PROOF_LEASE_MS: leaseMs,
} = process.env

const outbox = createOutbox({ notify: false })
const desk = openOrderDesk({
  paymentsUrl: () => payments,
  callback: () => callback,
  shop: (): Shop => shop,
  worker: { leaseMs: Number(leaseMs), concurrency: 40, poll: { maxMs: 200 }, maxCrashes: 20 },
})
const db = openDatabase(
  { url, pool: { mode: mode === 'transaction' ? 'transaction' : 'direct', max: 8 } },
  { outbox, sagas: desk.sagas },
)
const shop = createShop(db, undefined, outbox)
await desk.worker.start()
process.send?.(desk.worker.id)
process.on('disconnect', () => void db.close().then(() => process.exit()))
