import { createHash } from 'node:crypto'
import { int32 } from './data-row.ts'
import { type Decode, decoderOf, undecodable } from './decoder.ts'
import type { Table } from './table.ts'

interface Column {
  readonly name: string
  readonly decode: Decode
  readonly isList: boolean
}

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
  /** Rows begin as a copy of it, so that all of them have one shape. */
  #empty: Record<string, unknown> = {}

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
    this.#empty = Object.fromEntries(fields.map((name) => [name, null]))
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

  /** The row whose columns begin there. */
  decode(bytes: Buffer, start: number): Record<string, unknown> {
    const row = { ...this.#empty }
    const columns = this.#columns as readonly Column[]
    let at = start
    for (let index = 0; index < columns.length; index++) {
      const { name, decode, isList } = columns[index] as Column
      const length = int32(bytes, at)
      at += 4
      if (length >= 0) {
        row[name] = decode(bytes, at, at + length)
        at += length
      } else if (isList) row[name] = []
    }
    return row
  }
}
