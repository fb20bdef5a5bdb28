import { builtin } from './builtin.ts'
import { generalHelp, type ListedGroup } from './help.ts'
import type { CliHost } from './host.ts'
import { contributors } from './load-config.ts'
import type { Globals } from './parse-arguments.ts'
import { styleOf } from './style.ts'

/** Groups that can be listed without loading any of them. */
export function listedGroups(cwd: string): readonly ListedGroup[] {
  const others = contributors(cwd).map(({ group, description }) => ({ name: group, description }))
  return [...builtin, ...others].map(({ name, description }) => ({ name, description }))
}

/** `orgdb --help`. */
export function explain(host: CliHost, { plain }: Globals): string {
  return generalHelp(
    listedGroups(host.cwd ?? process.cwd()),
    styleOf(host, { isTTY: host.stdout.isTTY, plain }),
  )
}
