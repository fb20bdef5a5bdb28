#!/usr/bin/env node
// Makes sure that the servers which the tests start are installed: PostgreSQL, PgBouncer, Redis. Starts none of them.
// Installs what is missing from Debian's packages where it may (root, or sudo without a password; DB_TEST_INSTALL=0
// forbids it); otherwise says which suites are left out. With CI=true a missing server is a failure.
import { candidateVersion, installPackages, reasonNotToInstall } from './lib/debian.mjs'
import { oldestPostgres, servers, withServersOnPath } from './lib/servers.mjs'
import { main, StepError, step } from './lib/step.mjs'
import { isMain } from './lib/workspace.mjs'

/**
 * Finds or installs the servers.
 *
 * @param {{ env?: NodeJS.ProcessEnv, verbose?: boolean }} [options]
 * @returns {Promise<{ env: NodeJS.ProcessEnv }>} the environment in which the tests find them
 * @throws {StepError} when one is missing and `CI=true`
 */
export async function services({ env: outer = process.env, verbose = false } = {}) {
  const required = ['true', '1'].includes(outer.CI ?? '')
  const env = withServersOnPath(outer)
  let missing = []
  await step('Looking for PostgreSQL, PgBouncer and Redis', async () => {
    const found = await look(env)
    missing = found.filter(({ version }) => !version).map(({ server }) => server)
    return describe(found)
  })

  let reason
  if (missing.length > 0) {
    reason = await reasonNotToInstall(env)
    if (!reason) {
      const names = missing.map((server) => server.debianPackage)
      await step(`Installing ${names.join(', ')} from Debian packages`, () =>
        install(names, { env, verbose }),
      )
      missing = (await look(env)).filter(({ version }) => !version).map(({ server }) => server)
    }
  }
  if (missing.length > 0) report(missing, reason, required)
  return { env }
}

function look(env) {
  return Promise.all(servers.map(async (server) => ({ server, version: await server.find(env) })))
}

function describe(found) {
  return found.map(({ server, version }) => `${server.brew.split('@')[0]} ${version ?? 'missing'}`).join(', ')
}

async function install(names, options) {
  const wanted = []
  for (const name of names) {
    const version = await candidateVersion(name, options)
    const tooOld = name === 'postgresql' && Number.parseInt(version ?? '', 10) < oldestPostgres
    if (version && !tooOld) wanted.push(name)
  }
  if (wanted.length > 0) await installPackages(wanted, options)
  return wanted.length === names.length ? 'done' : `only ${wanted.join(', ') || 'nothing'} is to be had here`
}

function report(missing, reason, required) {
  const lines = missing.map(({ name, without }) => `  ${name} is missing: ${without}.`)
  if (reason) lines.push(`  They are not installed by this script, because ${reason}. To run everything:`)
  else lines.push('  To run everything, install them by hand:')
  if (process.platform === 'darwin')
    lines.push(`    brew install ${missing.map(({ brew }) => brew).join(' ')}`)
  else lines.push(`    apt-get install ${missing.map(({ debianPackage }) => debianPackage).join(' ')}`)
  if (required) lines.push('  With CI=true this is a failure.')
  process.stdout.write(`${lines.join('\n')}\n`)
  if (required) throw new StepError('A server is missing')
}

if (isMain(import.meta.url)) await main(() => services({ verbose: process.argv.includes('--verbose') }))
