import { type Retry, retry } from '@org/db-retry'
import { startPgBouncer, startPostgres, startProxy, whichServers } from '@org/db-testing'
import type { Check, Prove, ProveOptions, Report } from '../src/proof.ts'
import { audit } from '../src/transfers/audit.ts'
import { type Bank, isRecorded, openAccounts, openBank } from '../src/transfers/bank.ts'
import { type Disturbance, disturb } from '../src/transfers/disturbance.ts'
import { type Reports, work } from '../src/transfers/workers.ts'

export const title =
  'Bank transfers at SERIALIZABLE through PgBouncer happen exactly once while backends are killed and answers to COMMIT are lost.'

const workers = 32
const scales = {
  full: { seconds: 60, killEveryMs: 250, cutEveryMs: 500 },
  short: { seconds: 5, killEveryMs: 250, cutEveryMs: 500 },
} as const

export const prove: Prove = async (options) => {
  const { report, signal } = options
  signal.throwIfAborted()
  await using server = await startPostgres({ settings: { fsync: true, full_page_writes: true } })
  await using database = await server.createDatabase()
  const bouncer = (await whichServers()).find((each) => each.server === 'pgbouncer')
  await using pooler = bouncer?.available ? await startPgBouncer({ url: database.url }) : undefined
  if (!pooler) report.figure({ name: 'PgBouncer', value: `left out: ${bouncer?.detail}` })
  const target = pooler?.url ?? database.url
  await using proxy = await startProxy({ targetPort: Number(new URL(target).port) })

  const policy: Retry = retry({
    attempts: 60,
    backoff: { initialMs: 4, maxMs: 250 },
    // A transfer writes its id in its transaction. If this looks too early, the repetition runs into the same id.
    settle: async ({ operation }) => {
      const id = operation?.context.requestId
      if (id === undefined) return 'unknown'
      return (await isRecorded(bank.sql, id)) ? 'committed' : 'rolled-back'
    },
  })
  await using bank: Bank = openBank(proxy.through(target), {
    poolMode: pooler ? 'transaction' : 'direct',
    workers,
    retry: policy,
  })
  await openAccounts(bank.sql)
  const { reports, disturbance, seconds } = await transferDisturbed(bank, {
    ...options,
    url: database.url,
    proxy,
  })
  signal.throwIfAborted()
  reportFigures(report, { reports, disturbance, seconds, policy })
  return [...(await audit(bank.sql, reports)), ...putToTheTest(disturbance, policy)]
}

async function transferDisturbed(
  bank: Bank,
  { scale, report, signal, url, proxy }: ProveOptions & Pick<Parameters<typeof disturb>[0], 'url' | 'proxy'>,
): Promise<{ readonly reports: Reports; readonly disturbance: Disturbance; readonly seconds: number }> {
  const { seconds, killEveryMs, cutEveryMs } = scales[scale]
  const startedAt = performance.now()
  const endsAt = startedAt + seconds * 1_000
  const disturbance = disturb({ url, proxy, killEveryMs, cutEveryMs })
  const telling = setInterval(() => {
    const elapsed = Math.round((performance.now() - startedAt) / 1_000)
    report.progress(
      `${elapsed} of ${seconds} s, ${disturbance.killed} backends killed, ${disturbance.cuts} answers lost`,
    )
  }, 5_000)
  try {
    const goesOn = (): boolean => performance.now() < endsAt && !signal.aborted
    const reports = await work(bank, { workers, goesOn })
    return { reports, disturbance, seconds: (performance.now() - startedAt) / 1_000 }
  } finally {
    clearInterval(telling)
    await disturbance.stop()
  }
}

function reportFigures(
  report: Report,
  {
    reports,
    disturbance,
    seconds,
    policy,
  }: {
    readonly reports: Reports
    readonly disturbance: Disturbance
    readonly seconds: number
    readonly policy: Retry
  },
): void {
  const { done, refused, failed, unknown, latenciesMs } = reports
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? 0
  const { retries, recovered, failures } = policy.metrics()
  report.figure({ name: 'transfers done', value: done.size })
  report.figure({ name: 'transfers refused for lack of money', value: refused.size })
  report.figure({ name: 'transfers reported as failed', value: failed.size })
  report.figure({ name: 'transfers reported as unknown', value: unknown.size })
  for (const code of new Set([...failed.values(), ...unknown.values()])) {
    const count = [...failed.values(), ...unknown.values()].filter((each) => each === code).length
    report.figure({ name: `reported: ${code}`, value: count })
  }
  report.figure({ name: 'backends killed', value: disturbance.killed })
  report.figure({ name: 'answers to COMMIT lost', value: disturbance.cuts })
  report.figure({ name: 'attempts repeated', value: retries })
  report.figure({ name: 'transfers that needed it', value: recovered })
  for (const { code, sqlState, count } of failures) {
    report.figure({
      name: `repeated after ${code}${sqlState === undefined ? '' : ` ${sqlState}`}`,
      value: count,
    })
  }
  report.figure({ name: 'throughput', value: done.size / seconds, unit: 'transfers/s' })
  report.figure({ name: 'transfer, p50', value: at(0.5), unit: 'ms' })
  report.figure({ name: 'transfer, p99', value: at(0.99), unit: 'ms' })
}

/** Without these nothing would have been put to the test. */
function putToTheTest({ killed, cuts }: Disturbance, policy: Retry): readonly Check[] {
  const conflicts = policy.metrics().failures.find(({ code }) => code === 'DB_SERIALIZATION')?.count ?? 0
  return [
    { name: 'backends were killed', passed: killed > 3, detail: `${killed} killed` },
    { name: 'answers to COMMIT were lost', passed: cuts > 1, detail: `${cuts} lost` },
    {
      name: 'transfers conflicted with each other',
      passed: conflicts > 10,
      detail: `${conflicts} conflicts`,
    },
  ]
}
