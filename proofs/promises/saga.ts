import { installSchema, type SqlExecutor } from '@org/db-core'
import { createOutbox, outboxSchema } from '@org/db-outbox'
import { sagaSchema } from '@org/db-saga'
import { startPgBouncer, startPostgres, whichServers } from '@org/db-testing'
import { applyMigrations } from '@org/shop/no-oversell'
import {
  createShop,
  manyTroubles,
  type OrderDesk,
  openDatabase,
  openOrderDesk,
  type PaymentProvider,
  paymentSettled,
  type Shop,
  startPaymentProvider,
} from '@org/shop/orders'
import type { Check, Prove, Report } from '../src/proof.ts'
import { startCallbackServer } from '../src/saga/callback-server.ts'
import { checkOrders } from '../src/saga/check-orders.ts'
import { watchTakeovers } from '../src/saga/takeovers.ts'
import { startWorkers, type WorkerRoute } from '../src/saga/worker-processes.ts'

export const title =
  'Every order ends shipped and charged once, or undone, while worker processes are killed and the payment provider fails, hangs and answers twice.'

const scales = {
  full: { orders: 2_000, films: 40, copies: 45, workers: 3 },
  short: { orders: 60, films: 10, copies: 8, workers: 3 },
} as const
const killEveryMs = { full: 1_000, short: 250 } as const
const mostKills = { full: Number.POSITIVE_INFINITY, short: 2 } as const
const leaseMs = 2_000
/** When to say that orders are stuck. */
const longestMs = { full: 300_000, short: 60_000 }

export const prove: Prove = async ({ scale, report, signal }) => {
  const { orders, films, copies, workers: count } = scales[scale]
  await using server = await startPostgres({ maxConnections: 200 })
  await using database = await server.createDatabase()
  await applyMigrations(database.url)
  const pooler = (await whichServers()).find(({ server: name }) => name === 'pgbouncer')
  await using bouncer = pooler?.available ? await startPgBouncer({ url: server.url }) : undefined
  if (!bouncer) report.figure({ name: 'PgBouncer', value: `left out: ${pooler?.detail}` })

  const provider = await startPaymentProvider(manyTroubles)
  const outbox = createOutbox({ notify: false })
  const desk = openOrderDesk({ paymentsUrl: () => provider.url, shop: (): Shop => shop })
  await using db = openDatabase({ url: database.url, pool: { max: 8 } }, { outbox, sagas: desk.sagas })
  const shop = createShop(db, undefined, outbox)
  await installSchema(db.sql, [outboxSchema, sagaSchema])
  await db.sql.query(
    `INSERT INTO film (id, title, price_cents, stock, updated_at)
     SELECT n, 'Film ' || n, 100 * n, $2, now() FROM generate_series(1, $1) n`,
    [films, copies],
  )
  const listener = await startCallbackServer((told) => paymentSettled(outbox, told))
  const routes: WorkerRoute[] = [{ url: database.url, poolMode: 'direct' }]
  if (bouncer) routes.push({ url: bouncer.database(database.name), poolMode: 'transaction' })
  const workers = await startWorkers(
    { routes, paymentsUrl: provider.url, callback: listener.url, leaseMs },
    count,
  )
  const takeovers = watchTakeovers(db.sql)
  const startedAt = performance.now()
  let killed = 0
  try {
    let isRunning = true
    const killing = (async () => {
      // One a second, or as fast as new ones come up where that takes longer.
      for (
        let next = performance.now() + killEveryMs[scale];
        isRunning;
        next = Math.max(next + killEveryMs[scale], performance.now())
      ) {
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - performance.now())))
        if (!isRunning || killed >= mostKills[scale]) return
        const victim = await atWork(db.sql, workers.ids)
        if (victim === undefined) continue
        await workers.kill(victim, () => {
          killed += 1
          takeovers.watch(victim)
        })
      }
    })()
    try {
      await startOrders(desk, { orders, films })
      await waitForAll(desk, { orders, report, signal, longestMs: longestMs[scale] })
    } finally {
      isRunning = false
      await killing
    }
    const tookMs = await takeovers.settled()
    const seconds = (performance.now() - startedAt) / 1_000
    await workers.stop()
    tell(report, { provider, killed, seconds, told: listener.count(), tookMs })
    return [
      ...(await checkOrders(db.sql, { orders, copies, provider })),
      ...checkRun({ killed, provider, tookMs, told: listener.count() }, scale),
    ]
  } finally {
    await workers.stop().catch(() => undefined)
    await listener.stop()
    await provider.stop()
    await desk.close()
  }
}

/** One of the workers that have sagas in hand, at random. */
async function atWork(sql: SqlExecutor, workers: readonly string[]): Promise<string | undefined> {
  const rows = await sql.query<{ owner: string }>(
    'SELECT owner FROM orgdb.saga WHERE owner = ANY($1) GROUP BY owner ORDER BY random() LIMIT 1',
    [workers],
  )
  return rows[0]?.owner
}

/** One to three films each, so that the popular ones run out. */
async function startOrders(
  { sagas, saga }: OrderDesk,
  { orders, films }: { readonly orders: number; readonly films: number },
): Promise<void> {
  const wish = (n: number) => {
    const ids = new Set(Array.from({ length: 1 + (n % 3) }, () => 1 + Math.floor(Math.random() ** 2 * films)))
    return { customer: `customer ${n}`, items: [...ids].map((filmId) => ({ filmId, quantity: 1 })) }
  }
  for (let at = 0; at < orders; at += 20) {
    const chunk = Array.from({ length: Math.min(20, orders - at) }, (_, index) => at + index)
    await Promise.all(
      chunk.map((n) =>
        sagas.start(saga, wish(n), { id: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}` }),
      ),
    )
  }
}

async function waitForAll(
  { sagas }: OrderDesk,
  given: {
    readonly orders: number
    readonly report: Report
    readonly signal: AbortSignal
    readonly longestMs: number
  },
): Promise<void> {
  for (const end = performance.now() + given.longestMs; performance.now() < end; ) {
    given.signal.throwIfAborted()
    const versions = await sagas.versions()
    const open = versions.reduce(
      (sum, { states }) => sum + Object.values(states).reduce((a, b) => a + b, 0),
      0,
    )
    given.report.progress(`${given.orders - open} of ${given.orders} orders are over`)
    if (open === 0) return
    await new Promise((resolve) => setTimeout(resolve, 250))
  }
}

interface Run {
  readonly provider: PaymentProvider
  readonly killed: number
  /** How often the provider has told of a charge beside its answer. */
  readonly told: number
  /** How long what each dead worker had lay about. */
  readonly tookMs: readonly number[]
}

function tell(
  report: Report,
  { provider, killed, seconds, told, tookMs }: Run & { readonly seconds: number },
): void {
  for (const [name, value] of Object.entries({
    'worker processes killed': killed,
    'of these with sagas in hand': tookMs.length,
    'longest takeover after a kill, ms': Math.max(0, ...tookMs),
    'seconds until all orders were over': Math.round(seconds),
    'charges told of twice': told,
    ...Object.fromEntries(
      Object.entries(provider.mischief).map(([kind, times]) => [`provider ${kind}`, times]),
    ),
  })) {
    report.figure({ name, value })
  }
}

function checkRun({ killed, provider, tookMs, told }: Run, scale: 'full' | 'short'): readonly Check[] {
  const sorted = [...tookMs].sort((a, b) => a - b)
  // Tests run beside others, where a process may get no processor for seconds.
  const longest = sorted[scale === 'full' ? sorted.length - 1 : 0] ?? 0
  const { fails, forgets, hangs } = provider.mischief
  return [
    {
      name: `what a dead worker had is taken over within its lease and a second, ${leaseMs + 1_000} ms${scale === 'full' ? '' : ' (the fastest of a short run)'}`,
      passed: tookMs.length > 0 && longest <= leaseMs + 1_000,
      detail: `${tookMs.length} workers had sagas in hand: ${sorted.join(', ')} ms`,
    },
    {
      name: 'workers were killed all the while, and the provider failed, hung and answered twice',
      // With few orders chance may spare all of them one kind of trouble.
      passed:
        killed > 0 &&
        (scale === 'full' ? fails * forgets * hangs * told > 0 : fails + forgets + hangs + told > 0),
      detail: `${killed} killed, ${fails} failed, ${forgets} forgot, ${hangs} hung, ${told} told twice`,
    },
  ]
}
