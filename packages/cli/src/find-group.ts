import type { Command, CommandGroup } from '@org/db-core/commands'
import { builtin } from './builtin.ts'
import type { OrgdbConfig } from './config.ts'
import { listedGroups } from './explain.ts'
import { contributors } from './load-config.ts'
import { UsageError } from './usage-error.ts'

/** Those of `orgdb.config.ts` first, then our own, then those that packages offer without being asked. */
export async function findGroup(name: string, config: OrgdbConfig, cwd: string): Promise<CommandGroup> {
  const configured = config.commands?.find((group) => group.name === name)
  if (configured) return configured
  const own = builtin.find((group) => group.name === name)
  if (own) return own.load(cwd, config)
  const contributor = contributors(cwd).find(({ group }) => group === name)
  const offered = await contributor?.load()
  if (offered) return offered
  if (contributor) {
    throw new UsageError(`orgdb ${name} needs to be told more: its commands belong into orgdb.config.ts`)
  }
  const meant = await groupsWith(name, config, cwd)
  throw new UsageError(
    meant.length > 0
      ? `There is no command ${name}; perhaps you mean ${meant.map((group) => `orgdb ${group} ${name}`).join(' or ')}`
      : `There is no command ${name}; there are ${groupNames(config, cwd).join(', ')}`,
  )
}

/** The groups that have a command of that name, but for those that other packages offer: these are not loaded for it. */
async function groupsWith(name: string, config: OrgdbConfig, cwd: string): Promise<readonly string[]> {
  const own = await Promise.all(builtin.map((group) => group.load(cwd, config)))
  const groups = [...own, ...(config.commands ?? [])]
  return groups
    .filter(({ commands }) => commands.some((command) => command.name === name))
    .map((group) => group.name)
}

/** Of all groups that there are. */
export function groupNames(config: OrgdbConfig, cwd: string): readonly string[] {
  const known = [...listedGroups(cwd), ...(config.commands ?? [])].map((group) => group.name)
  return [...new Set(known)]
}

/** The command of that name, or the group's only one. */
export function commandOf({ commands }: CommandGroup, name: string | undefined): Command | undefined {
  return commands.find((command) => command.name === '') ?? commands.find((command) => command.name === name)
}
