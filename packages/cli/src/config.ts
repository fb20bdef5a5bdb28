import type { SchemaPackage } from '@org/db-core'
import type { CommandGroup } from '@org/db-core/commands'
import type { Strategy } from '@org/db-migrations'

/** What `orgdb.config.ts` says. */
export interface OrgdbConfig {
  /** Where the migrations are, and how they are deployed. */
  readonly migrations?: {
    /** Default `prisma/migrations`. */
    readonly directory?: string
    /** Default `prisma/schema` if it is there, else `prisma/schema.prisma`. */
    readonly prismaSchema?: string
    readonly strategy?: Strategy
    /** The packages whose own tables `migrate status` compares with the database. */
    readonly packages?: readonly SchemaPackage[]
  }
  /** Commands of packages: `[seedCommands({ … }), outboxCommands]`. Those of a name that is there already take its place. */
  readonly commands?: readonly CommandGroup[]
}

/** The configuration as it is, with its types checked: `export default defineConfig({ … })`. */
export function defineConfig(config: OrgdbConfig): OrgdbConfig {
  return config
}
