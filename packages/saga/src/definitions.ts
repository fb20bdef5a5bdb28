import type { Migration, SagaDefinition } from './definition.ts'
import { SagaError } from './errors.ts'

/** The kinds of sagas that a process knows. */
export interface Definitions {
  readonly all: readonly SagaDefinition[]
  /** The newest version of a name. @throws SagaError DB_SAGA_UNKNOWN */
  newest(name: string): SagaDefinition
  get(name: string, version: number): SagaDefinition | undefined
  /** @throws SagaError DB_SAGA_UNKNOWN; DB_SAGA_CHANGED when the steps are others than those it began with */
  of(saga: {
    readonly name: string
    readonly version: number
    readonly shape: string | null
    readonly id: string
  }): SagaDefinition
  /** What can be run here: versions that are known, and those that can be brought to one. */
  claimable(): readonly { readonly name: string; readonly version: number }[]
}

export function createDefinitions(all: readonly SagaDefinition[]): Definitions {
  const byName = new Map<string, Map<number, SagaDefinition>>()
  for (const definition of all) {
    const versions = byName.get(definition.name) ?? new Map<number, SagaDefinition>()
    if (versions.has(definition.version)) {
      throw new SagaError(
        'DB_SAGA_OPTIONS',
        `Saga ${definition.name} version ${definition.version} is there twice`,
      )
    }
    byName.set(definition.name, versions.set(definition.version, definition))
  }
  const get = (name: string, version: number): SagaDefinition | undefined => byName.get(name)?.get(version)
  const unknown = (name: string, version?: number): SagaError =>
    new SagaError(
      'DB_SAGA_UNKNOWN',
      `There is no saga ${name}${version === undefined ? '' : ` version ${version}`} here`,
    )
  const claimable = [...byName].flatMap(([name, versions]) => {
    const known = new Set(versions.keys())
    // A hook from 1 leads to 2, which has to be known or to lead on.
    for (const at of [...migrationsOf(versions)].sort((a, b) => b - a)) if (known.has(at + 1)) known.add(at)
    return [...known].map((version) => ({ name, version }))
  })
  return {
    all,
    get,
    newest(name) {
      const versions = byName.get(name)
      if (!versions) throw unknown(name)
      return versions.get(Math.max(...versions.keys())) as SagaDefinition
    },
    of({ id, name, version, shape }) {
      const definition = get(name, version)
      if (!definition) throw unknown(name, version)
      if (shape !== null && definition.shape !== undefined && shape !== definition.shape) {
        throw new SagaError(
          'DB_SAGA_CHANGED',
          `The steps of saga ${name} version ${version} are not those that it began with: raise its version`,
          { saga: id },
        )
      }
      return definition
    },
    claimable: () => claimable,
  }
}

function migrationsOf(versions: ReadonlyMap<number, SagaDefinition>): ReadonlySet<number> {
  return new Set([...versions.values()].flatMap(({ migrate }) => Object.keys(migrate ?? {}).map(Number)))
}

/** The hook that brings a saga of this version to the next one. */
export function migrationFrom(
  definitions: Definitions,
  name: string,
  version: number,
): Migration | undefined {
  return definitions.all.find((each) => each.name === name && each.migrate?.[version])?.migrate?.[version]
}
