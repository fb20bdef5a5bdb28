import type { DatabaseConfig } from '../../config.ts'
import type { HostAddress } from '../../connection-url.ts'
import { DatabaseError } from '../../database-error.ts'
import type { DatabaseEvents, EventSource } from '../../events.ts'
import { askRole, fits, type HostRole } from './host-probe.ts'

/** A connection that goes to one of the servers. */
export interface HostConnection {
  readonly address: HostAddress | undefined
  /** Ends it as soon as no statement and no transaction runs on it. */
  retire(): void
}

/** The servers of a URL that names several: which of them is the one. */
export interface Hosts {
  /** The server for a new connection. @throws DatabaseError DB_UNREACHABLE when none will do */
  current(): Promise<HostAddress>
  /** Something happened that a failover would explain: all servers are asked again. */
  suspect(): void
  /** Whether a connection that says so of itself may be used. */
  accepts(role: HostRole): boolean
  join(connection: HostConnection): void
  leave(connection: HostConnection): void
}

/** After a false alarm, such as a write in a read-only transaction, nobody is asked again so soon. */
const calmMs = 250

/**
 * Finds the server that fits `target_session_attrs` and keeps to it until something speaks against it. After a
 * failover connections to the former one are retired.
 */
export function createHosts(
  config: DatabaseConfig & { readonly failover: NonNullable<DatabaseConfig['failover']> },
  events: EventSource<DatabaseEvents>,
): Hosts {
  const { hosts, target } = config.failover
  const timeoutMs = Math.max(500, Math.floor(config.pool.connectTimeoutMs / 2))
  const connections = new Set<HostConnection>()
  let known: HostAddress | undefined
  let suspected = false
  let confirmedAt = Number.NEGATIVE_INFINITY
  let finding: Promise<HostAddress> | undefined

  function find(): Promise<HostAddress> {
    finding ??= search()
      .then(settleOn)
      .finally(() => {
        finding = undefined
      })
    return finding
  }

  /** All are asked at once, so that one that is silent holds up nobody for long; the first that fits wins. */
  async function search(): Promise<HostAddress> {
    const ordered = known ? [known, ...hosts.filter((host) => !same(host, known))] : hosts
    const asked = ordered.map((address) => ({
      address,
      answer: askRole(address, config, timeoutMs).then(
        (role) => ({ role }),
        (error: unknown) => ({ error }),
      ),
    }))
    const errors: unknown[] = []
    let second: HostAddress | undefined
    for (const { address, answer } of asked) {
      const found = await answer
      if ('error' in found) errors.push(found.error)
      else if (fits(found.role, target)) return address
      else second ??= address
    }
    if (target === 'prefer-standby' && second) return second
    throw unreachable(errors, second !== undefined)
  }

  function unreachable(errors: readonly unknown[], answered: boolean): unknown {
    // A wrong password is worth more to the reader than that nobody could be reached.
    const refusal = errors.find((error) => typeof (error as { severity?: unknown }).severity === 'string')
    if (refusal !== undefined && !answered) return refusal
    const names = hosts.map(nameOf).join(', ')
    const why = answered ? `none that can be reached is ${target}` : 'none can be reached'
    return new DatabaseError('DB_UNREACHABLE', `Of the servers ${names} ${why}`, {
      outcome: 'not-sent',
      retryable: true,
      cause: errors[0],
    })
  }

  function settleOn(found: HostAddress): HostAddress {
    const former = known
    known = found
    suspected = false
    confirmedAt = performance.now()
    if (former && !same(former, found)) {
      events.emit('database.failover', { from: nameOf(former), to: nameOf(found) })
      for (const connection of connections) {
        if (connection.address && !same(connection.address, found)) connection.retire()
      }
    }
    return found
  }

  return {
    current: () => (known && !suspected ? Promise.resolve(known) : find()),
    suspect() {
      if (performance.now() - confirmedAt < calmMs) return
      suspected = true
      // Whoever needs a connection hears of a failure.
      find().catch(() => undefined)
    },
    accepts: (role) => target === 'prefer-standby' || fits(role, target),
    join: (connection) => void connections.add(connection),
    leave: (connection) => void connections.delete(connection),
  }
}

function same(one: HostAddress, other: HostAddress | undefined): boolean {
  return one.host === other?.host && one.port === other.port
}

function nameOf({ host, port }: HostAddress): string {
  return `${host}:${port}`
}
