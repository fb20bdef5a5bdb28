import { type ConnectOpts, Socket, type SocketConstructorOpts } from 'node:net'

const size = 65_536

/**
 * A socket that reads into one buffer of its own for as long as it lives. Node's own way is a fresh buffer of this size
 * for each read, which costs a short answer more than its bytes do.
 * https://nodejs.org/api/net.html#new-netsocketoptions, `onread`
 */
export class OwnBufferSocket extends Socket {
  /** Takes what comes in, instead of the listeners of `data`; the bytes hold until it returns. */
  reader: ((bytes: Buffer) => void) | undefined

  constructor() {
    const options: SocketConstructorOpts & Pick<ConnectOpts, 'onread'> = {
      onread: {
        buffer: Buffer.allocUnsafeSlow(size),
        callback: (length, buffer) => {
          const bytes = (buffer as Buffer).subarray(0, length)
          if (this.reader) this.reader(bytes)
          else this.emit('data', Buffer.from(bytes))
          return true
        },
      },
    }
    super(options)
  }
}

/** For node-postgres. TLS takes a socket over and reads in its own way. */
export function openSocket({ ssl }: { readonly ssl?: unknown } = {}): Socket {
  return ssl ? new Socket() : new OwnBufferSocket()
}
