// What the schema says and Prisma's DMMF does not: in which PostgreSQL schema an enum lies, and all digits of a
// Decimal's default, of which DMMF makes a floating-point number.

/** The PostgreSQL schema of each enum that names one. */
export function enumSchemas(text: string): Readonly<Record<string, string>> {
  const found = blocksOf(text, 'enum').map(({ name, lines }) => [name, schemaOf(lines)] as const)
  return Object.fromEntries(
    found.filter((entry): entry is readonly [string, string] => entry[1] !== undefined),
  )
}

function schemaOf(lines: readonly string[]): string | undefined {
  for (const line of lines) {
    const name = /^@@schema\(\s*(?:map:\s*)?"([^"]+)"\s*\)/.exec(line)?.[1]
    if (name !== undefined) return name
  }
  return undefined
}

/** The defaults of Decimals as they are written, by `Model.field`. */
export function decimalDefaults(text: string): ReadonlyMap<string, string | readonly string[]> {
  const found = new Map<string, string | readonly string[]>()
  for (const { name, lines } of blocksOf(text, 'model')) {
    for (const line of lines) {
      const [, field, one, many] =
        /^(\w+)\s+Decimal\b.*@default\((?:value:\s*)?(?:(-?[\d.]+)|\[([-\d.,\s]*)\])\)/.exec(line) ?? []
      if (field === undefined) continue
      const list = (many ?? '').split(',').map((each) => each.trim())
      found.set(`${name}.${field}`, one ?? list.filter((each) => each !== ''))
    }
  }
  return found
}

interface Block {
  readonly name: string
  readonly lines: readonly string[]
}

/** Prisma's blocks end in a line of their own. */
function blocksOf(text: string, kind: 'enum' | 'model'): readonly Block[] {
  const pattern = new RegExp(`^[ \\t]*${kind}[ \\t]+(\\w+)[ \\t]*\\{(.*?)^[ \\t]*\\}`, 'gms')
  return [...text.matchAll(pattern)].map(([, name = '', body = '']) => ({
    name,
    lines: body.split('\n').map((line) => line.replace(/\/\/.*/, '').trim()),
  }))
}
