import type { Lsn } from './lsn.ts'
import type { ReplicaNode } from './node.ts'

/** Chooses among replicas. */
export interface Balancer {
  /** The one with the least work for its weight among those that are up and have replayed `lsn`. */
  choose(lsn: Lsn | undefined, except?: ReplicaNode): ReplicaNode | undefined
}

/** Least in flight, by weight; those that are equal take turns. */
export function createBalancer(nodes: readonly ReplicaNode[]): Balancer {
  let turn = 0
  return {
    choose(lsn, except) {
      turn = (turn + 1) % nodes.length
      let best: ReplicaNode | undefined
      let least = Number.POSITIVE_INFINITY
      for (let index = 0; index < nodes.length; index++) {
        const node = nodes[(turn + index) % nodes.length]
        if (node?.state !== 'up' || node === except || !node.reached(lsn)) continue
        const load = (node.inFlight + 1) / node.weight
        if (load < least) [best, least] = [node, load]
      }
      return best
    },
  }
}
