/** The user's Prisma schema as data: what the generator `db-metadata` writes beside the client. */
export interface SchemaMetadata {
  /** Changes with each change of the schema. */
  readonly schemaHash: string
  readonly models: Readonly<Record<string, ModelMetadata>>
  readonly enums: Readonly<Record<string, readonly string[]>>
  /** For enums with `@map`: their values as the database has them, each with its name in the client. */
  readonly mappedEnums?: Readonly<Record<string, Readonly<Record<string, string>>>>
  /** The enums' types in the database, where `@@map` gives them another name. */
  readonly enumTypes?: Readonly<Record<string, string>>
  /** The PostgreSQL schemas of enums that name one. */
  readonly enumSchemas?: Readonly<Record<string, string>>
  /** Every constraint that the schema declares, by its name in the database. */
  readonly constraints: Readonly<Record<string, ConstraintMetadata>>
}

/** One model. */
export interface ModelMetadata {
  /** The client's property: `film` for the model `Film`. */
  readonly delegate: string
  readonly table: string
  /** The PostgreSQL schema, where the model names one. */
  readonly schema?: string
  /** The fields of the primary key, or of the first unique without nulls where there is none. */
  readonly id: readonly string[]
  /** What Prisma calls the key in `where`: the field, or `a_b` for a compound one. */
  readonly idName: string
  /** Field lists of all uniques, the primary key first. */
  readonly uniques: readonly (readonly string[])[]
  readonly fields: Readonly<Record<string, FieldMetadata>>
  /** `///` comment of the model. */
  readonly documentation?: string
}

/** One field of a model. */
export interface FieldMetadata {
  readonly kind: 'scalar' | 'enum' | 'relation' | 'unsupported'
  /** `String`, `Int`, …, the enum or the related model. */
  readonly type: string
  /** The column; absent for relations. */
  readonly column?: string
  readonly isList: boolean
  readonly isRequired: boolean
  readonly hasDefault: boolean
  /** What it is when nothing is given; absent where the schema states none. */
  readonly default?: FieldDefault
  readonly isUpdatedAt: boolean
  /** The database type as the schema states it: `['VarChar', ['255']]`. */
  readonly nativeType?: readonly [name: string, args: readonly string[]]
  /** For a relation: its name, the same on both sides. */
  readonly relationName?: string
  /** For a relation that holds the foreign key. */
  readonly relation?: {
    readonly name: string
    readonly fields: readonly string[]
    readonly references: readonly string[]
    readonly onDelete?: string
  }
  /** `///` comment of the field. */
  readonly documentation?: string
  /** Words of the comment that begin with `@`: `{ encrypted: true, pii: 'email' }` for `/// @encrypted @pii(email)`. */
  readonly annotations?: Readonly<Record<string, string | true>>
}

/** A default: a value in JSON's terms (`Decimal`, `BigInt` and `Json` as text), or a function such as `uuid(7)`. */
export type FieldDefault =
  | { readonly value: unknown }
  | { readonly function: string; readonly args: readonly unknown[] }

/** One constraint of a table. */
export interface ConstraintMetadata {
  readonly model: string
  readonly kind: 'primary-key' | 'unique' | 'foreign-key'
  readonly fields: readonly string[]
}
