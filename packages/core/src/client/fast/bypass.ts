import type { SchemaMetadata } from '../../metadata.ts'

/** What a Prisma client knows about itself and keeps for itself. */
interface ClientInside {
  readonly _extensions?: { isEmpty?(): boolean }
  readonly _previewFeatures?: readonly string[]
  readonly _activeProvider?: string
  readonly _globalOmit?: Readonly<Record<string, unknown>>
  readonly _clientVersion?: string
  readonly _tracingHelper?: { isEnabled?(): boolean }
  readonly _engineConfig?: {
    readonly adapter?: unknown
    readonly logQueries?: unknown
    readonly sqlCommenters?: readonly unknown[]
  }
  readonly _runtimeDataModel?: {
    readonly models?: Readonly<Record<string, { readonly fields: readonly RuntimeField[] }>>
  }
}

interface RuntimeField {
  readonly name: string
  readonly kind: string
  readonly type: string
}

/** What is true of a client that nothing depends on seeing every query. */
export interface Bypass {
  readonly clientVersion: string
  /** Whether traces are being written, in which Prisma's spans would be missed. */
  isTraced(): boolean
  /** Whether rows of the model are what the metadata says. */
  covers(model: string): boolean
}

/**
 * Whether lookups may be taken away from the client. A client with extensions, query log, SQL comments or an adapter
 * of its own keeps all of its queries, and so does one that is not as known from Prisma 7.
 */
export function bypassOf(client: object, adapter: object, metadata: SchemaMetadata): Bypass | undefined {
  const inside = client as ClientInside
  const { _engineConfig: engine, _previewFeatures: features, _runtimeDataModel: model } = inside
  const isPlain =
    inside._extensions?.isEmpty?.() === true &&
    inside._activeProvider === 'postgresql' &&
    engine?.adapter === adapter &&
    !engine.logQueries &&
    (engine.sqlCommenters?.length ?? 0) === 0 &&
    Array.isArray(features) &&
    !features.includes('strictUndefinedChecks') &&
    typeof inside._tracingHelper?.isEnabled === 'function' &&
    inside._clientVersion !== undefined &&
    model?.models !== undefined
  if (!isPlain) return undefined
  const { _tracingHelper: tracing, _clientVersion: clientVersion = '', _globalOmit: omit } = inside
  return {
    clientVersion,
    isTraced: () => tracing?.isEnabled?.() !== false,
    covers(name) {
      const known = metadata.models[name]
      if (!known || Object.keys((omit?.[known.delegate] as object | undefined) ?? {}).length > 0) return false
      const fields = model?.models?.[name]?.fields ?? []
      const stated = Object.entries(known.fields).filter(([, { kind }]) => kind !== 'unsupported')
      return (
        fields.filter(({ kind }) => kind !== 'unsupported').length === stated.length &&
        fields.every((field) => known.fields[field.name]?.type === field.type)
      )
    },
  }
}
