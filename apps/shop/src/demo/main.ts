import { once } from 'node:events'
import { startPostgres } from '@org/db-testing'
import { formatReport } from '../films/load-report.ts'
import { startApiProcess } from './api-process.ts'
import { type DemoArguments, parseArguments, UsageError, usage } from './arguments.ts'
import { applyMigrations } from './migrations.ts'
import { loadShop, noOversell } from './no-oversell.ts'
import { progressDisplay } from './progress.ts'
import { formatResult } from './summary.ts'

async function main(argv: readonly string[]): Promise<void> {
  const wanted = parseArguments(argv)
  if (!wanted) return console.log(usage)
  const say = (line: string) => (wanted.json ? console.error(line) : console.log(line))
  const signal = interrupted(say)
  say('Starting an embedded PostgreSQL …')
  // Throwaway servers lose what is not on disk yet; this one shall be as slow and as safe as a real one.
  const settings = { fsync: true, full_page_writes: true }
  await using server = await startPostgres({ binaries: 'embedded', settings })
  await using database = await server.createDatabase({ name: 'shop' })
  await applyMigrations(database.url)
  say(`PostgreSQL ${server.version} on port ${server.port}; loading the films …`)
  await (wanted.serve ? serve(database.url, signal, say) : fight(database.url, wanted, signal, say))
}

type Say = (line: string) => void

async function fight(url: string, wanted: DemoArguments, signal: AbortSignal, say: Say): Promise<void> {
  const display = progressDisplay(wanted.json ? process.stderr : process.stdout)
  const result = await noOversell({
    url,
    customers: wanted.customers,
    seconds: wanted.seconds,
    retries: wanted.retries,
    signal,
    onLoaded(report) {
      for (const line of formatReport(report)) say(line)
      say(`\n${wanted.customers} customers go shopping until the popular films are sold (% left)`)
      say('or the time is up. Each second one backend of the database is killed.')
    },
    onProgress: (progress) => display.show(progress),
  })
  display.end()
  say('')
  for (const line of formatResult(result)) say(line)
  if (wanted.json) console.log(JSON.stringify(result))
  const ended = signal.aborted ? 'Ended early. ' : ''
  say(`\n${ended}${result.holds ? 'Everything holds.' : 'Something does NOT hold, see ✗ above.'}`)
  if (!result.holds || signal.aborted) process.exitCode = 1
}

async function serve(url: string, signal: AbortSignal, say: Say): Promise<void> {
  for (const line of formatReport(await loadShop(url))) say(line)
  const api = await startApiProcess({ url })
  try {
    say(`
The shop is open:
  ${api.url}/films?genre=horror
  ${api.url}/films/1
  ${api.url}/health
  ${api.url}/metrics
  curl -d '{"customer":"Ann","items":[{"filmId":1,"quantity":2}]}' -H 'content-type: application/json' ${api.url}/orders

Its database: ${url}
Ctrl-C closes it.`)
    if (!signal.aborted) await Promise.race([once(signal, 'abort'), api.ended])
    if (!signal.aborted) throw new Error('The API has ended')
  } finally {
    await api.stop()
  }
}

/** Aborts on the first Ctrl-C, so that everything is stopped in order; the second one ends the process. */
function interrupted(say: Say): AbortSignal {
  const controller = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      say(`\n${name}: closing`)
      controller.abort()
    })
  }
  return controller.signal
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
  else console.error(error)
  process.exitCode = error instanceof UsageError ? 2 : 1
}
