/** What is wrong with a configuration that types have not checked, a line each. */
export function problemsOf(config: object): readonly string[] {
  const { migrations, commands } = config as { readonly migrations?: unknown; readonly commands?: unknown }
  return [
    ...unknownOf(config, ['migrations', 'commands'], ''),
    ...migrationProblems(migrations),
    ...commandProblems(commands),
  ]
}

function unknownOf(given: object, known: readonly string[], before: string): readonly string[] {
  return Object.keys(given)
    .filter((name) => !known.includes(name))
    .map((name) => `${before}${name}: is no option; there are ${known.join(', ')}`)
}

const kinds = {
  directory: 'string',
  prismaSchema: 'string',
  strategy: 'object',
  packages: 'list',
} as const

function migrationProblems(migrations: unknown): readonly string[] {
  if (migrations === undefined) return []
  if (typeof migrations !== 'object' || migrations === null) return ['migrations: is no object']
  const given = migrations as Readonly<Record<string, unknown>>
  const wrong = Object.entries(kinds).flatMap(([name, kind]) => {
    const value = given[name]
    const fits = kind === 'list' ? Array.isArray(value) : typeof value === kind
    return value === undefined || fits ? [] : [`migrations.${name}: is no ${kind}`]
  })
  return [...unknownOf(migrations, Object.keys(kinds), 'migrations.'), ...wrong]
}

function commandProblems(commands: unknown): readonly string[] {
  if (commands === undefined) return []
  if (!Array.isArray(commands)) return ['commands: is no list']
  return commands.flatMap((group: unknown, at) => {
    const { name, commands: own } = (group ?? {}) as { readonly name?: unknown; readonly commands?: unknown }
    return typeof name === 'string' && Array.isArray(own) ? [] : [`commands[${at}]: is no group of commands`]
  })
}
