import { matcherOf } from './pattern.ts'

// Patterns are not looked up among the keys but remembered as rules: each moves the revision of the generation, and
// an entry of an earlier revision is good if no later rule fits its key. A generation is `<base>.<revision>`.

interface Rule {
  readonly revision: number
  readonly matches: (key: string) => boolean
}

/** The patterns that were invalidated in the current generation. */
export interface RedisRules {
  /** Whether an entry of the generation `stored` is good in the generation `current`. */
  allow(
    key: string,
    generations: { readonly stored: string | undefined; readonly current: string | undefined },
  ): boolean | Promise<boolean>
}

/** @param load reads the lines `<base> <revision> <pattern>` */
export function createRedisRules(load: () => Promise<readonly string[]>): RedisRules {
  let known: { readonly generation: string; readonly rules: readonly Rule[] } | undefined

  async function rulesOf(generation: string): Promise<readonly Rule[]> {
    if (known?.generation === generation) return known.rules
    const { base } = split(generation)
    const rules = (await load()).flatMap((line) => {
      const [, of, revision, pattern] = /^(\S+) (\d+) ([\s\S]*)$/.exec(line) ?? []
      return of === base && pattern !== undefined
        ? [{ revision: Number(revision), matches: matcherOf(pattern) }]
        : []
    })
    known = { generation, rules }
    return rules
  }

  async function fitsNone(
    key: string,
    { from, to, generation }: { readonly from: number; readonly to: number; readonly generation: string },
  ): Promise<boolean> {
    const rules = await rulesOf(generation)
    for (let revision = from; revision <= to; revision++) {
      const added = rules.filter((rule) => rule.revision === revision)
      // A revision without a rule: the list was lost, so anything may have been invalidated.
      if (added.length === 0 || added.some(({ matches }) => matches(key))) return false
    }
    return true
  }

  return {
    allow(key, { stored, current }) {
      if (!stored || !current || current.startsWith('!')) return false
      if (stored === current) return true
      const was = split(stored)
      const is = split(current)
      if (was.base !== is.base || was.revision > is.revision) return false
      return fitsNone(key, { from: was.revision + 1, to: is.revision, generation: current })
    },
  }
}

function split(generation: string): { readonly base: string; readonly revision: number } {
  const dot = generation.lastIndexOf('.')
  if (dot < 0) return { base: generation, revision: 0 }
  return { base: generation.slice(0, dot), revision: Number(generation.slice(dot + 1)) }
}
