import type { DatabaseConfig } from '../../config.ts'
import type { DatabaseEvents, EventSource } from '../../events.ts'
import { createHosts, type Hosts } from './hosts.ts'

/** The servers of a URL that names several; absent where it names one. */
export function hostsOf(config: DatabaseConfig, events: EventSource<DatabaseEvents>): Hosts | undefined {
  const { failover } = config
  return failover && createHosts({ ...config, failover }, events)
}

/** `host:port/database`: what an error may say of a connection URL. */
export function serverOf({ url: text, failover }: DatabaseConfig): string {
  const url = new URL(text)
  const servers = failover?.hosts.map(({ host, port }) => `${host}:${port}`) ?? [
    `${url.hostname}:${url.port || '5432'}`,
  ]
  return `${servers.join(',')}${url.pathname}`
}

/** The configuration with the address of the server that connections go to now. */
export async function sessionConfig(
  config: DatabaseConfig,
  hosts: Hosts | undefined,
): Promise<DatabaseConfig> {
  if (!hosts || config.directUrl !== undefined) return config
  const { host, port } = await hosts.current()
  const url = new URL(config.url)
  url.hostname = host
  url.port = String(port)
  return { ...config, url: url.href }
}
