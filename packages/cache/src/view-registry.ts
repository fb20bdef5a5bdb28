import type { OptionProblem } from './errors.ts'
import { hashOf } from './key.ts'

// Results of a repository's methods depend on more than their arguments: on its class, key and mapper, and on what
// an instance was made with, which nobody can see from outside.

/** A repository that is to be cached. */
export interface ViewedRepository {
  readonly repository: object
  readonly name: string | undefined
}

/** Which repositories one cache serves. */
export interface ViewRegistry {
  /** What stands for the repository in keys, or why it can't be told from another one. */
  add(viewed: ViewedRepository): { readonly identity: string } | { readonly problem: OptionProblem }
}

/** What can be seen of a `BaseRepository`; other repositories need not have it. */
interface Inside {
  readonly access?: { readonly model?: unknown; readonly key?: { readonly fields?: unknown } }
  readonly maxPageSize?: unknown
}

/** Makes an empty one. */
export function createViewRegistry(): ViewRegistry {
  const named = new Map<string, string>()
  const unnamed = new Map<string, object>()
  return {
    add({ repository, name }) {
      const { access, maxPageSize } = (Reflect.get(repository, '~inner') ?? {}) as Inside
      const model = access?.model ?? null
      const identity = hashOf([
        name ?? null,
        model,
        access?.key?.fields ?? null,
        maxPageSize ?? null,
        ...textsOf(repository),
      ])
      if (name === undefined) {
        const known = unnamed.get(identity) ?? repository
        unnamed.set(identity, known)
        return known === repository ? { identity } : { problem: anotherInstance(repository) }
      }
      const key = JSON.stringify([model, name])
      const known = named.get(key) ?? identity
      named.set(key, known)
      return known === identity
        ? { identity }
        : {
            problem: {
              field: 'name',
              problem: `${name} is the name of a repository of another class or key`,
            },
          }
    },
  }
}

function anotherInstance(repository: object): OptionProblem {
  return {
    field: 'name',
    problem:
      `is required: another instance of ${repository.constructor.name} is cached here. Give one name to instances ` +
      'that always answer alike, and different ones to those with another mapper or other state',
  }
}

/** The source of the class and of what it extends: with their methods results change, in a deployment too. */
function textsOf(repository: object): readonly string[] {
  const texts: string[] = []
  let each: unknown = repository.constructor
  while (typeof each === 'function' && each !== Function.prototype) {
    texts.push(Function.prototype.toString.call(each))
    each = Object.getPrototypeOf(each)
  }
  return texts
}
