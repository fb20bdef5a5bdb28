import type { NewItem } from '../src/item.ts'

/** One way of one library to read and insert an item. */
export interface ItemClient {
  /** The variant's name in the table. */
  readonly name: string
  readonly detail: string
  /** Reads one row by its primary key, all nine columns. */
  find?(id: number): Promise<unknown>
  /** Inserts one row and returns it as stored. */
  insert?(item: NewItem): Promise<unknown>
}

/** A library with its connections. */
export interface Peer {
  readonly clients: readonly ItemClient[]
  close(): Promise<void>
}

/** What every peer gets. */
export interface PeerOptions {
  readonly url: string
  /** Connections that each pool may open; none of them closes for idleness. */
  readonly poolSize: number
}
