// What the tests need from the machine, where it may lie, and what Debian calls it.
import { existsSync, readdirSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { runChild } from './child.mjs'

const programFolders = ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/bin', '/usr/local/bin']

/**
 * @typedef {object} Server
 * @property {string} name
 * @property {string} debianPackage
 * @property {string} brew
 * @property {string} without what the tests do when it is missing
 * @property {(env: NodeJS.ProcessEnv) => Promise<string | undefined>} find its version, or `undefined`
 */

/** @type {readonly Server[]} */
export const servers = [
  {
    name: 'PostgreSQL 14 or newer',
    debianPackage: 'postgresql',
    brew: 'postgresql@17',
    without: 'tests run on the embedded one from npm instead',
    find: findPostgres,
  },
  {
    name: 'PgBouncer',
    debianPackage: 'pgbouncer',
    brew: 'pgbouncer',
    without: 'suites behind PgBouncer are left out',
    find: (env) => versionOf('pgbouncer', env),
  },
  {
    name: 'Redis',
    debianPackage: 'redis-server',
    brew: 'redis',
    without: 'suites on Redis are left out',
    find: (env) => versionOf('redis-server', env),
  },
]

/** `env` with the folders on PATH where servers lie, which is not so by itself for an ordinary user of Debian. */
export function withServersOnPath(env) {
  const path = (env.PATH ?? '').split(delimiter)
  return { ...env, PATH: [...new Set([...path, ...programFolders])].join(delimiter) }
}

/** The oldest PostgreSQL that the tests run on. */
export const oldestPostgres = 14

async function findPostgres(env) {
  const folders = env.PG_BIN ? [env.PG_BIN] : [...(env.PATH ?? '').split(delimiter), ...versionedFolders()]
  for (const folder of folders) {
    if (!existsSync(join(folder, 'initdb'))) continue
    const version = await versionOf(join(folder, 'postgres'), env)
    if (version && Number.parseInt(version, 10) >= oldestPostgres) return version
  }
  return undefined
}

function versionedFolders() {
  return [
    { parent: '/usr/lib/postgresql', pattern: /^(\d+)$/ },
    { parent: '/usr', pattern: /^pgsql-(\d+)$/ },
    { parent: '/opt/homebrew/opt', pattern: /^postgresql@(\d+)$/ },
    { parent: '/usr/local/opt', pattern: /^postgresql@(\d+)$/ },
  ].flatMap(({ parent, pattern }) =>
    (existsSync(parent) ? readdirSync(parent) : [])
      .map((name) => ({ name, version: Number(pattern.exec(name)?.[1]) }))
      .filter(({ version }) => version >= oldestPostgres)
      .sort((a, b) => b.version - a.version)
      .map(({ name }) => join(parent, name, 'bin')),
  )
}

async function versionOf(command, env) {
  try {
    const { code, output } = await runChild(command, ['--version'], { env, timeoutMs: 10_000 })
    return code === 0 ? /\d+\.\d+(\.\d+)?/.exec(output)?.[0] : undefined
  } catch {
    return undefined // it is not there
  }
}
