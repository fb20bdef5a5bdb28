import { Packr } from 'msgpackr'
import { type DecimalClass, decimalReviver } from './decimal.ts'
import { CacheError } from './errors.ts'
import { fromTagged, toTagged } from './tagged.ts'

/** Turns values into bytes and back, losing nothing: `Date`, decimals, `bigint`, bytes and `undefined` included. */
export interface Codec {
  /** One character that marks what it wrote. */
  readonly id: string
  /** @throws CacheError DB_CACHE_ENCODE for a value that could not be given back as it was */
  encode(value: unknown): Buffer
  decode(bytes: Buffer): unknown
}

/** How decimals are revived. */
export interface CodecOptions {
  /** The class of decimals. Default: `Decimal` of the installed Prisma client. */
  readonly decimal?: DecimalClass
}

/** JSON: readable in Redis, and the faster one for small values. */
export function jsonCodec({ decimal }: CodecOptions = {}): Codec {
  const options = { keepsBytes: false, decimal: decimalReviver(decimal) }
  return {
    id: 'j',
    encode: (value) => Buffer.from(JSON.stringify(toTagged(value, options))),
    decode(bytes) {
      const text = bytes.toString()
      const tree = parsed(() => JSON.parse(text))
      return text.includes('"$') ? fromTagged(tree, options) : tree
    },
  }
}

/** MessagePack: smaller, above all where there are bytes and many numbers. */
export function messagePackCodec({ decimal }: CodecOptions = {}): Codec {
  const options = { keepsBytes: true, decimal: decimalReviver(decimal) }
  const packr = new Packr({ useRecords: false, variableMapSize: true })
  return {
    id: 'm',
    encode: (value) => packr.pack(toTagged(value, options)),
    decode: (bytes) =>
      fromTagged(
        parsed(() => packr.unpack(bytes)),
        options,
      ),
  }
}

/** The parsers' own messages quote what they could not read. */
function parsed(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (cause) {
    throw new CacheError('DB_CACHE_DECODE', 'A stored value is not what the codec wrote', { cause })
  }
}
