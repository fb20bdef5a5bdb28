/** The slice of Prisma's DMMF that is read; the whole is not public API and grows with each release. */
export interface Datamodel {
  readonly models: readonly DmmfModel[]
  readonly enums: readonly DmmfEnum[]
  readonly indexes: readonly DmmfIndex[]
}

/** An enum; `dbName` is set where the schema says `@map`. */
export interface DmmfEnum {
  readonly name: string
  readonly dbName?: string | null
  readonly values: readonly { readonly name: string; readonly dbName?: string | null }[]
}

/** A model. */
export interface DmmfModel {
  readonly name: string
  readonly dbName?: string | null
  readonly schema?: string | null
  readonly fields: readonly DmmfField[]
  readonly primaryKey?: { readonly name?: string | null; readonly fields: readonly string[] } | null
  readonly uniqueFields: readonly (readonly string[])[]
  readonly uniqueIndexes: readonly { readonly name?: string | null; readonly fields: readonly string[] }[]
  readonly documentation?: string
}

/** A field. */
export interface DmmfField {
  readonly name: string
  readonly dbName?: string | null
  readonly kind: 'scalar' | 'object' | 'enum' | 'unsupported'
  readonly type: string
  readonly isList: boolean
  readonly isRequired: boolean
  readonly isUnique: boolean
  readonly isId: boolean
  readonly hasDefaultValue: boolean
  readonly default?: unknown
  readonly isUpdatedAt?: boolean
  readonly nativeType?: readonly [string, readonly string[]] | null
  readonly relationName?: string
  readonly relationFromFields?: readonly string[]
  readonly relationToFields?: readonly string[]
  readonly relationOnDelete?: string
  readonly documentation?: string
}

/** A primary key, unique or index; `dbName` is set where the schema says `map:`. */
export interface DmmfIndex {
  readonly model: string
  readonly type: 'id' | 'unique' | 'normal' | 'fulltext'
  readonly dbName?: string
  readonly fields: readonly { readonly name: string }[]
}
