// Installing Debian packages without leaving a daemon behind, now or after the next start of the machine.
import { existsSync } from 'node:fs'
import { runChild } from './child.mjs'
import { findOnPath } from './pnpm.mjs'
import { run } from './step.mjs'

const installScript = `
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\\nexit 101\\n' > "$policy" && chmod 755 "$policy"
  trap 'rm -f "$policy"' EXIT INT TERM
fi
apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "$@"
result=$?
if [ $result -eq 0 ] && command -v systemctl > /dev/null; then
  systemctl disable --quiet "$@" 2> /dev/null
fi
exit $result
`

/**
 * Why packages cannot be installed here, or `undefined` when they can.
 *
 * @param {NodeJS.ProcessEnv} env
 */
export async function reasonNotToInstall(env) {
  if (env.DB_TEST_INSTALL === '0') return 'DB_TEST_INSTALL=0 forbids it'
  if (!existsSync('/etc/debian_version') || !findOnPath(env, 'apt-get')) return 'this is not Debian or Ubuntu'
  if (process.getuid() === 0) return undefined
  if (!findOnPath(env, 'sudo')) return 'only root may install packages here'
  const { code } = await runChild('sudo', ['-n', 'true'], { env, timeoutMs: 10_000 })
  return code === 0 ? undefined : 'sudo asks for a password'
}

/** The version that apt would install, after reading new package lists where it knows of none. */
export async function candidateVersion(name, { env, verbose }) {
  const known = await candidate(name, env)
  if (known) return known
  await readPackageLists({ env, verbose })
  return candidate(name, env)
}

/** Installs packages; reads new package lists and tries again when the known ones turn out to be too old. */
export async function installPackages(names, { env, verbose }) {
  const install = () =>
    runAsRoot(['sh', '-c', installScript, 'install', ...names], { env, verbose, timeoutMs: 900_000 })
  try {
    await install()
  } catch {
    await readPackageLists({ env, verbose })
    await install() // its error is the one that counts
  }
}

async function candidate(name, env) {
  const { output } = await runChild('apt-cache', ['policy', name], {
    env: { ...env, LC_ALL: 'C' },
    timeoutMs: 30_000,
  })
  const version = /^ *Candidate: (?:\d+:)?(\S+)$/m.exec(output)?.[1]
  return version === '(none)' ? undefined : version
}

function readPackageLists({ env, verbose }) {
  return runAsRoot(['apt-get', 'update', '-q'], { env, verbose, timeoutMs: 300_000 })
}

function runAsRoot(command, options) {
  const sudo = process.getuid() === 0 ? [] : ['sudo', '-n']
  const [program, ...args] = [...sudo, 'env', 'DEBIAN_FRONTEND=noninteractive', ...command]
  return run(program, args, options)
}
