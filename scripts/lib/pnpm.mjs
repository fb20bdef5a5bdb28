// pnpm without a global installation: a pnpm on PATH that is new enough, else npm fetches the exact version into its
// own cache. Its folder is put on PATH, because turbo and package scripts look for it there.
import { existsSync, realpathSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { runChild } from './child.mjs'
import { readStamp, writeStamp } from './stamp.mjs'
import { run, StepError } from './step.mjs'
import { readJson, root } from './workspace.mjs'

const windows = process.platform === 'win32'
const pathName = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'

/**
 * The environment in which `pnpm` and this very `node` are found on PATH.
 *
 * @param {{ trustStamp?: boolean }} [options] `trustStamp`: take the pnpm on PATH for the one that an earlier run found
 */
export async function pnpmEnvironment({ trustStamp = false } = {}) {
  const wanted = /^pnpm@(\d+\.\d+\.\d+)/.exec(readJson(join(root, 'package.json')).packageManager)[1]
  const env = childEnvironment()
  const [version, folder] = readStamp('pnpm')?.split('\n') ?? []
  const onPath = findOnPath(env, 'pnpm')
  if (version === wanted) {
    if (folder && findIn(folder, 'pnpm')) return withFolder(env, folder)
    if (folder === '' && onPath && trustStamp) return env
  }
  if (onPath && isEnough(await versionOnPath(env), wanted)) {
    writeStamp('pnpm', `${wanted}\n`)
    return env
  }
  const fetched = await fetchWithNpm(env, wanted)
  writeStamp('pnpm', `${wanted}\n${fetched}`)
  return withFolder(env, fetched)
}

/** Whether a version has the wanted major and is not older. */
export function isEnough(version, wanted) {
  if (version === undefined) return false
  const [major, minor, patch] = version.split('.').map(Number)
  const [wantedMajor, wantedMinor, wantedPatch] = wanted.split('.').map(Number)
  return major === wantedMajor && (minor > wantedMinor || (minor === wantedMinor && patch >= wantedPatch))
}

/** The path of a command that PATH leads to, or `undefined`. */
export function findOnPath(env, name) {
  return (env[pathName] ?? '')
    .split(delimiter)
    .map((folder) => findIn(folder, name))
    .find(Boolean)
}

function findIn(folder, name) {
  const names = windows ? [`${name}.cmd`, `${name}.exe`] : [name]
  return names.map((file) => join(folder, file)).find((file) => existsSync(file))
}

function childEnvironment() {
  const env = {
    ...process.env,
    // Nothing phones home, nothing asks, nothing fetches another version of itself.
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
    COREPACK_ENABLE_DOWNLOAD_PROMPT: '0',
    npm_config_manage_package_manager_versions: 'false',
    npm_config_update_notifier: 'false',
    // Some tools colour what goes to a log as soon as CI is set.
    ...(process.stdout.isTTY || process.env.FORCE_COLOR ? {} : { NO_COLOR: '1' }),
  }
  const node = findOnPath(env, 'node')
  const sameNode = node && realpathSync(node) === realpathSync(process.execPath)
  return sameNode ? env : withFolder(env, dirname(process.execPath))
}

function withFolder(env, folder) {
  return { ...env, [pathName]: [folder, env[pathName]].filter(Boolean).join(delimiter) }
}

async function versionOnPath(env) {
  // From a folder without a package.json, so that pnpm tells its own version, not one that a project asks for.
  const { code, output } = await runChild('pnpm', ['--version'], { env, cwd: tmpdir(), timeoutMs: 20_000 })
  return code === 0 ? /^\d+\.\d+\.\d+$/m.exec(output)?.[0] : undefined
}

async function fetchWithNpm(env, version) {
  const npm = npmCommand()
  // npm puts pnpm's folder on the PATH of what it runs, so that PATH tells where it is.
  const asked = [
    'exec',
    '--yes',
    '--prefer-offline',
    `--package=pnpm@${version}`,
    '--',
    'node',
    '-p',
    `process.env.${pathName}`,
  ]
  const output = await run(npm.command, [...npm.args, ...asked], { env, cwd: root, timeoutMs: 300_000 })
  const folder = output
    .split('\n')
    .flatMap((line) => line.trim().split(delimiter))
    .find((candidate) => candidate.includes('_npx') && findIn(candidate, 'pnpm'))
  if (!folder) throw new StepError(`npm did not deliver pnpm@${version}:\n${output}`)
  return folder
}

/** npm's own program where it can be found, because Windows cannot start `npm.cmd` without a shell. */
function npmCommand() {
  const beside = dirname(process.execPath)
  const program = [
    process.env.npm_execpath,
    join(beside, '../lib/node_modules/npm/bin/npm-cli.js'),
    join(beside, 'node_modules/npm/bin/npm-cli.js'),
  ].find((path) => path?.endsWith('npm-cli.js') && existsSync(path))
  return program ? { command: process.execPath, args: [program] } : { command: 'npm', args: [] }
}
