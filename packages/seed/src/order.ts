import { SeedError } from './errors.ts'
import { type SeedTier, tiers } from './tier.ts'

/** What decides about the order. */
export interface Ordered {
  readonly name: string
  readonly tier: SeedTier
  readonly dependsOn: readonly string[]
}

/**
 * Seeders by tier, and within a tier after those that they depend on; otherwise as they were given.
 * @throws SeedError `DB_SEED_OPTIONS` naming what does not fit
 */
export function inOrder<S extends Ordered>(seeders: readonly S[]): readonly S[] {
  const byName = new Map<string, S>()
  for (const seeder of seeders) {
    if (byName.has(seeder.name)) throw wrong(`There are two seeders ${seeder.name}`)
    byName.set(seeder.name, seeder)
  }
  const ordered = new Set<S>()
  const open: string[] = []
  const visit = (seeder: S): void => {
    if (ordered.has(seeder)) return
    if (open.includes(seeder.name))
      throw wrong(`Seeders wait for each other: ${[...open, seeder.name].join(' → ')}`)
    open.push(seeder.name)
    for (const name of seeder.dependsOn) {
      const needed = byName.get(name)
      if (!needed) throw wrong(`The seeder ${seeder.name} depends on ${name}, which is not there`)
      if (tiers.indexOf(needed.tier) > tiers.indexOf(seeder.tier)) {
        throw wrong(`The seeder ${seeder.name} depends on ${name}, which is of a later tier`)
      }
      visit(needed)
    }
    open.pop()
    ordered.add(seeder)
  }
  for (const tier of tiers) for (const seeder of seeders) if (seeder.tier === tier) visit(seeder)
  return [...ordered]
}

function wrong(message: string): SeedError {
  return new SeedError('DB_SEED_OPTIONS', message)
}
