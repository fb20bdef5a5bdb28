import { createHash } from 'node:crypto'
import { type Decode, decoderOf, undecodable } from './decoder.ts'
import type { Table } from './table.ts'

interface Column {
  readonly name: string
  readonly decode: Decode
  readonly isList: boolean
}

/** The texts of one row, as the server sent them. */
export type RawRow = readonly (string | null)[]

/** What the columns of a statement are. */
export interface Target {
  readonly table: Table
  readonly fields: readonly string[]
  /** What types may have the columns that follow. */
  readonly others?: readonly (readonly number[])[]
}

/** A statement that is sent again and again. */
export class Prepared {
  readonly text: string
  readonly #target: Target | undefined
  readonly #hash: string
  #version = 0
  #columns: readonly Column[] | undefined

  /** Without `target` its columns are not read as fields. */
  constructor(text: string, target?: Target) {
    this.text = text
    this.#target = target
    this.#hash = createHash('sha256').update(text).digest('base64url').slice(0, 16)
  }

  /** Its name on connections that keep it; none after it has failed there several times. */
  get name(): string {
    return this.#version > 3 ? '' : `org_${this.#hash}_${this.#version}`
  }

  /** Whether the types of its columns are known, so that the server need not tell them again. */
  get isDescribed(): boolean {
    return this.#columns !== undefined
  }

  /** Takes the types of the columns. @throws where a column is none that can be read here */
  describe(types: readonly number[]): void {
    const { fields = [], table, others = [] } = this.#target ?? {}
    this.#columns = fields.map((name, index) => {
      const field = table?.model.fields[name]
      const decode = field && decoderOf(field, types[index] ?? 0, table.metadata)
      if (!decode) throw undecodable
      return { name, decode, isList: field.isList }
    })
    for (const [index, allowed] of others.entries()) {
      if (allowed.includes(types[fields.length + index] ?? 0)) continue
      this.#columns = undefined
      throw undecodable
    }
  }

  /** How many columns are fields; others may follow. */
  get width(): number {
    return this.#target?.fields.length ?? 0
  }

  /** The server has forgotten the statement, or the table has changed: the next use starts anew. */
  renew(): void {
    this.#version += 1
    this.#columns = undefined
  }

  decode(raw: RawRow): object {
    const row: Record<string, unknown> = {}
    const columns = this.#columns as readonly Column[]
    for (let index = 0; index < columns.length; index++) {
      const { name, decode, isList } = columns[index] as Column
      const text = raw[index] as string | null
      row[name] = text === null ? (isList ? [] : null) : decode(text)
    }
    return row
  }
}
