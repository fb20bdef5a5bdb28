import type { SchemaMetadata } from './metadata.ts'
import type { Operation } from './operation.ts'

/**
 * Every model that an operation touches: its own, those of nested writes, `include`, `select`, `_count` and of
 * conditions on relations. Empty for raw SQL, whose tables only the server knows.
 */
export function modelsOf(
  operation: Pick<Operation, 'model' | 'args'>,
  metadata: SchemaMetadata,
): ReadonlySet<string> {
  const found = new Set<string>()
  if (operation.model !== undefined) collect(operation.args, operation.model, metadata, found)
  return found
}

function collect(args: unknown, model: string, metadata: SchemaMetadata, found: Set<string>): void {
  found.add(model)
  if (typeof args !== 'object' || args === null || args instanceof Date || ArrayBuffer.isView(args)) return
  if (Array.isArray(args)) {
    for (const each of args) collect(each, model, metadata, found)
    return
  }
  const fields = metadata.models[model]?.fields ?? {}
  for (const [key, value] of Object.entries(args)) {
    const field = Object.hasOwn(fields, key) ? fields[key] : undefined
    if (field?.kind === 'relation') {
      if (value !== false && value !== undefined) collect(value, field.type, metadata, found)
    } else if (field === undefined) {
      // `data`, `where`, `include`, `some`, `create`, `_count`, `AND` …: still about the same model.
      collect(value, model, metadata, found)
    }
  }
}
