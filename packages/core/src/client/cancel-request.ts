import pg from 'pg'

/** What node-postgres knows about its connection and does not declare. */
interface ConnectedClient {
  readonly host: string
  readonly port: number
  readonly ssl: unknown
  readonly processID: number | null
  readonly secretKey: number | null
}

/** The low-level connection of node-postgres, as far as it is used. */
interface WireConnection {
  connect(portOrSocket: number | string, host?: string): void
  requestSsl(): void
  cancel(processId: number, secretKey: number): void
  on(event: 'connect' | 'sslconnect' | 'end' | 'error', listener: () => void): void
  readonly stream: { destroy(): void }
}

const longestWaitMs = 2_000

/**
 * Asks the server to cancel what runs on `client`'s connection, over a connection of its own, as the protocol
 * wants it; PgBouncer passes it on. Resolves when the server has taken it, or nobody answered in time: the
 * connection must not be handed on before, or the request could hit the next statement on it.
 * https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-CANCELING-REQUESTS
 */
export function requestCancel(client: pg.ClientBase): Promise<void> {
  const { host, port, ssl, processID, secretKey } = client as unknown as ConnectedClient
  if (processID === null || secretKey === null) return Promise.resolve()
  return new Promise((resolve) => {
    const Connection = (pg as unknown as { Connection: new (options: object) => WireConnection }).Connection
    const connection = new Connection({ ssl })
    const end = (): void => {
      clearTimeout(timer)
      connection.stream.destroy()
      resolve()
    }
    const timer = setTimeout(end, longestWaitMs)
    const send = (): void => connection.cancel(processID, secretKey)
    connection.on('connect', () => (ssl ? connection.requestSsl() : send()))
    connection.on('sslconnect', send)
    connection.on('end', end)
    // The statement's own time limit still holds, so a failed request needs no report.
    connection.on('error', end)
    if (host.startsWith('/')) connection.connect(`${host}/.s.PGSQL.${port}`)
    else connection.connect(port, host)
  })
}
