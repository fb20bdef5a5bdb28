import { promisify } from 'node:util'
import zlib from 'node:zlib'
import { CacheError } from './errors.ts'

/** Which compression, and from which size on. */
export interface CompressionOptions {
  /** `zstd` needs Node.js 22.15. */
  readonly algorithm: 'gzip' | 'brotli' | 'zstd'
  /** Values of fewer bytes stay as they are. Default `1024`. */
  readonly thresholdBytes?: number
}

type Transform = (bytes: Buffer) => Promise<Buffer>

/** No value may unpack to more: what is in Redis is not trusted blindly. */
const maxOutputLength = 256 * 1024 * 1024

const { zstdCompress, zstdDecompress } = zlib as unknown as Partial<
  Record<'zstdCompress' | 'zstdDecompress', (...args: never[]) => void>
>

function transform(fn: unknown, options: object): Transform {
  const run = promisify(
    fn as (bytes: Buffer, options: object, done: (e: Error | null, out: Buffer) => void) => void,
  )
  return (bytes) => run(bytes, options)
}

interface Algorithm {
  readonly id: string
  readonly compress: Transform
  readonly decompress: Transform
}

const limit = { maxOutputLength }
const fastBrotli = { params: { [zlib.constants.BROTLI_PARAM_QUALITY]: 4 } }
const algorithms: Readonly<Record<string, Algorithm>> = {
  gzip: { id: 'g', compress: transform(zlib.gzip, { level: 1 }), decompress: transform(zlib.gunzip, limit) },
  brotli: {
    id: 'b',
    compress: transform(zlib.brotliCompress, fastBrotli),
    decompress: transform(zlib.brotliDecompress, limit),
  },
  ...(zstdCompress &&
    zstdDecompress && {
      zstd: { id: 'z', compress: transform(zstdCompress, {}), decompress: transform(zstdDecompress, limit) },
    }),
}

/** The names of the algorithms that this Node.js has. */
export const knownAlgorithms: readonly string[] = Object.keys(algorithms)

/** Bytes with the mark of what was done to them. */
export interface Packed {
  readonly mark: string
  readonly bytes: Buffer
}

/** Compresses what is large enough, in Node's thread pool; what does not shrink stays as it is. */
export async function compress(bytes: Buffer, options: CompressionOptions | undefined): Promise<Packed> {
  const algorithm = options && algorithms[options.algorithm]
  if (algorithm && bytes.length >= (options.thresholdBytes ?? 1024)) {
    const smaller = await algorithm.compress(bytes)
    if (smaller.length < bytes.length) return { mark: algorithm.id, bytes: smaller }
  }
  return { mark: '-', bytes }
}

/** Undoes `compress`, whichever algorithm it used. */
export async function decompress({ mark, bytes }: Packed): Promise<Buffer> {
  const algorithm = Object.values(algorithms).find(({ id }) => id === mark)
  if (!algorithm)
    throw new CacheError('DB_CACHE_DECODE', `A stored value is compressed by an unknown algorithm`)
  return algorithm.decompress(bytes)
}
