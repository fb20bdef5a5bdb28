import type { Lease } from './membership.ts'

/** What a lane holds: its partitions, and those of their keys that wait. */
export class Holding {
  leases: readonly Lease[] = []
  blocked: Set<string> = new Set()

  get parts(): readonly number[] {
    return this.leases.map(({ part }) => part)
  }

  /** The partitions that come to `seq` by a delivery up to it: one that was taken over can be further, and must not go back. */
  upTo(seq: number): ReadonlyMap<Lease, number> {
    return new Map(this.leases.filter(({ position }) => position < seq).map((lease) => [lease, seq]))
  }

  /** Those of the events that are not stored as done. */
  undone<Event extends { readonly part: number; readonly seq: number }>(events: readonly Event[]): Event[] {
    const positions = new Map(this.leases.map(({ part, position }) => [part, position]))
    return events.filter(({ part, seq }) => seq > (positions.get(part) ?? 0))
  }
}
