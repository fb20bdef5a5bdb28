import type { Environment } from '@org/db-core'

/** When a seeder runs: what everything refers to, then what each organisation needs, then what is shown to visitors. */
export type SeedTier = 'reference' | 'organisations' | 'demo'

/** The tiers in their order. */
export const tiers: readonly SeedTier[] = ['reference', 'organisations', 'demo']

/** Where seeders run that don't say otherwise: what is made up never comes into production. */
export const usualEnvironments: Readonly<Record<SeedTier, readonly Environment[]>> = {
  reference: ['development', 'testing', 'staging', 'production'],
  organisations: ['development', 'testing', 'staging'],
  demo: ['development', 'testing', 'staging'],
}
