import type { z } from 'zod'

type Issue = z.core.$ZodIssue

/** What a schema has against a value: `each.size: …` for every wrong field, by names and types, without values. */
export function problemsOf({ issues }: { readonly issues: readonly Issue[] }): readonly string[] {
  return issues.flatMap((issue): readonly string[] => {
    const path = issue.path.join('.')
    if (issue.code !== 'unrecognized_keys') return [path === '' ? issue.message : `${path}: ${issue.message}`]
    return issue.keys.map((key) => `${path === '' ? key : `${path}.${key}`}: there is no such field`)
  })
}
