import { connect, createServer, type Socket } from 'node:net'
import { type CutRule, matcher } from './cut-rule.ts'
import { freePort } from './port.ts'
import { type Flow, flow, type ProxyState } from './proxy-flow.ts'

/** Where a proxy leads. */
export interface TcpProxyOptions {
  readonly targetPort: number
  /** Default `127.0.0.1`. */
  readonly targetHost?: string
  /** Delay of each chunk of bytes, in each direction. Default `0`. */
  readonly delayMs?: number
}

/** A TCP proxy on the loopback interface whose connections can be disturbed. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  readonly host: '127.0.0.1'
  /** Of each chunk, in each direction; may be changed at any time. */
  delayMs: number
  /** Open now. */
  readonly connections: number
  /** Since the start. */
  readonly accepted: number
  /** Cut by `cut()`, `close()` and rules since the start. */
  readonly cuts: number
  /** `url` with the host and port of the proxy. */
  through(url: string): string
  /** Cuts all connections off: the client sees ECONNRESET. New ones are accepted. */
  cut(): void
  /** Ends all connections in order (FIN), as a proxy that is shut down does. New ones are accepted. */
  close(): void
  /** Holds all bytes back, those of new connections too, until `resume()`. */
  stall(): void
  resume(): void
  /** Cuts the connection on which the rule matches, once. Resolves when that has happened. */
  cutWhen(rule: CutRule): Promise<void>
  /** Cuts all connections off and stops listening. */
  stop(): Promise<void>
}

interface Rule extends CutRule {
  left: number
  readonly done: () => void
}

interface Pair {
  readonly client: Socket
  readonly server: Socket
  flows: readonly Flow[]
}

/** Starts a proxy on a free loopback port. When the target refuses, the client sees ECONNRESET. */
export async function startProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const port = await freePort()
  const state: ProxyState = { stalled: false, delayMs: options.delayMs ?? 0 }
  const pairs = new Set<Pair>()
  const rules = new Set<Rule>()
  let accepted = 0
  let cuts = 0

  function end(socket: Socket, how: 'reset' | 'close'): void {
    if (how === 'reset') socket.resetAndDestroy()
    else socket.destroySoon()
  }

  /** Cuts a connection, after `last` has been handed over to the side that it is for. */
  function cutPair(
    pair: Pair,
    how: 'reset' | 'close',
    last?: { readonly from: CutRule['from']; readonly chunk: Buffer },
  ): void {
    if (!pairs.delete(pair)) return
    cuts++
    for (const each of pair.flows) each.stop()
    if (last?.from === 'server') pair.client.write(last.chunk, () => end(pair.client, how))
    else end(pair.client, how)
    // A reset could make the server drop what it has not read yet.
    if (last?.from === 'client') pair.server.end(last.chunk)
    else end(pair.server, how)
  }

  /** Applies the rules to a chunk; `false` when the connection was cut. */
  function inspector(pair: Pair, from: CutRule['from']): (chunk: Buffer) => boolean {
    const matchers = new Map<Rule, (chunk: Buffer) => boolean>()
    return (chunk) => {
      for (const rule of rules) {
        if (rule.from !== from) continue
        const matches = matchers.get(rule) ?? matcher(rule.bytes)
        matchers.set(rule, matches)
        if (!matches(chunk) || --rule.left > 0) continue
        rules.delete(rule)
        const { deliver = false, how = 'reset' } = rule
        cutPair(pair, how, deliver ? { from, chunk } : undefined)
        rule.done()
        return false
      }
      return true
    }
  }

  function accept(client: Socket): void {
    accepted++
    const server = connect({
      port: options.targetPort,
      host: options.targetHost ?? '127.0.0.1',
      allowHalfOpen: true,
    })
    const pair: Pair = { client, server, flows: [] }
    pairs.add(pair)
    const toServer = flow(client, server, { state, inspect: inspector(pair, 'client') })
    const toClient = flow(server, client, { state, inspect: inspector(pair, 'server') })
    pair.flows = [toServer, toClient]
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.setNoDelay(true)
      socket.on('error', () => other.resetAndDestroy())
      socket.once('close', () => {
        pairs.delete(pair)
        if (!other.writableEnded) other.destroySoon()
      })
    }
    for (const each of pair.flows) each.update()
  }

  function each(change: (pair: Pair) => void): void {
    for (const pair of [...pairs]) change(pair)
  }

  function setStalled(stalled: boolean): void {
    state.stalled = stalled
    each(({ flows }) => {
      for (const one of flows) one.update()
    })
  }

  const listener = createServer({ allowHalfOpen: true, pauseOnConnect: true }, accept)
  await new Promise<void>((resolve, reject) => {
    listener.once('error', reject)
    listener.listen({ port, host: '127.0.0.1' }, resolve)
  })
  // A forgotten proxy does not keep the process alive.
  listener.unref()

  async function stop(): Promise<void> {
    each((pair) => cutPair(pair, 'reset'))
    if (listener.listening) await new Promise<void>((resolve) => listener.close(() => resolve()))
  }

  return {
    port,
    host: '127.0.0.1',
    get delayMs() {
      return state.delayMs
    },
    set delayMs(ms) {
      state.delayMs = ms
    },
    get connections() {
      return pairs.size
    },
    get accepted() {
      return accepted
    },
    get cuts() {
      return cuts
    },
    through(url) {
      const result = new URL(url)
      result.hostname = '127.0.0.1'
      result.port = String(port)
      return result.href
    },
    cut: () => each((pair) => cutPair(pair, 'reset')),
    close: () => each((pair) => cutPair(pair, 'close')),
    stall: () => setStalled(true),
    resume: () => setStalled(false),
    cutWhen: (rule) =>
      new Promise((resolve) => {
        rules.add({ ...rule, left: rule.nth ?? 1, done: resolve })
      }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}
