import type { CommandGroup } from '@org/db-core/commands'
import type { OrgdbConfig } from './config.ts'

/** A group of our own; what it needs is loaded when it is run, so that `--help` is quick. */
export interface BuiltinGroup {
  readonly name: string
  readonly description: string
  load(cwd: string, config: OrgdbConfig): Promise<CommandGroup>
}

/** The groups that are there without any configuration. */
export const builtin: readonly BuiltinGroup[] = [
  {
    name: 'migrate',
    description: 'migrations: create, lint, plan, deploy, roll back, verify, drift',
    load: async (cwd, config) => (await import('./groups/migrate.ts')).migrateGroup(cwd, config),
  },
  {
    name: 'config',
    description: 'check the configuration, write a pgbouncer.ini, mark the database',
    load: async () => (await import('./groups/configuration.ts')).configurationGroup,
  },
  {
    name: 'doctor',
    description: 'what is wrong with the machine, the configuration or the database',
    load: async (cwd, config) => (await import('./groups/doctor.ts')).doctorGroup(cwd, config),
  },
  {
    name: 'dev',
    description: 'a local PostgreSQL, and Redis when present, without installing anything',
    load: async (cwd) => (await import('./groups/dev.ts')).devGroup(cwd),
  },
  {
    name: 'completion',
    description: 'completion for bash, zsh or fish',
    load: async (cwd, config) => (await import('./groups/completion.ts')).completionGroup(cwd, config),
  },
]
