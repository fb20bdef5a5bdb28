import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { createMigrator } from '@org/db-migrations'
import { startPostgres } from '@org/db-testing'
import pg from 'pg'
import { migrationFolder } from '../src/migrate/folder.ts'
import { judgeDone, judgeInterrupted, untilGone } from '../src/migrate/judge.ts'
import type { Check, Prove } from '../src/proof.ts'

export const title =
  'kill -9 anywhere in a deployment leaves nothing by half, and the next deployment does the rest, once.'

const runs = { full: 100, short: 4 } as const
const moments = ['before', 'during', 'after'] as const
const runner = fileURLToPath(new URL('../src/migrate/runner.ts', import.meta.url))

export const prove: Prove = async ({ scale, report, signal }) => {
  await using server = await startPostgres()
  await using folder = await migrationFolder()
  const { directory } = folder
  const calls = await countCalls(server, directory)
  report.figure({ name: 'calls to the database in one deployment', value: calls })
  const checks: Check[] = [
    { name: 'an undisturbed deployment makes calls', passed: calls > 50, detail: String(calls) },
  ]
  const killed = { before: 0, during: 0, after: 0 }
  for (let run = 0; run < runs[scale]; run += 1) {
    signal.throwIfAborted()
    // From the first call to the last, in even steps; the moments take turns.
    const call = 1 + Math.floor((run * (calls - 1)) / Math.max(runs[scale] - 1, 1))
    const moment = moments[run % moments.length] ?? 'before'
    const where = `call ${call} of ${calls}, ${moment} it`
    report.progress(`run ${run + 1} of ${runs[scale]}: ${where}`)
    await using database = await server.createDatabase()
    const { killedBy } = await deployInChild(database.url, directory, call, moment)
    if (killedBy === 'SIGKILL') killed[moment] += 1
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    try {
      await untilGone(client)
      checks.push(...(await judgeInterrupted(client, where)))
    } finally {
      await client.end()
    }
    await createMigrator({ url: database.url, directory }).deploy()
    checks.push(...(await judgeDone(database.url, directory, where)))
  }
  for (const moment of moments)
    report.figure({ name: `runners killed ${moment} a call`, value: killed[moment] })
  const total = killed.before + killed.during + killed.after
  checks.push({
    name: 'runners really died',
    passed: total >= runs[scale] * 0.9,
    detail: `${total} of ${runs[scale]}`,
  })
  return checks
}

async function countCalls(
  server: { createDatabase(): Promise<{ readonly url: string } & AsyncDisposable> },
  directory: string,
): Promise<number> {
  await using database = await server.createDatabase()
  return Number((await deployInChild(database.url, directory, 0, 'before')).output)
}

/** TypeScript and the packages' sources, as this process has them. */
const childOptions = ['--conditions=@org/source', '--import', import.meta.resolve('tsx')]

function deployInChild(
  url: string,
  directory: string,
  call: number,
  moment: string,
): Promise<{ readonly output: string; readonly killedBy: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...childOptions, runner, url, directory, String(call), moment], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    child.on('error', reject)
    child.on('close', (code, killedBy) => {
      if (code === 0 || killedBy) resolve({ output, killedBy })
      else reject(new Error(`The runner ended with ${code}`))
    })
  })
}
