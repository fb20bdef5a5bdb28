/** Bytes of one COPY. */
const size = 524_288

/**
 * Text that gathers as bytes: strings that grow would fill the heap with their parts. Of two buffers one gathers while
 * the other is on its way.
 */
export class TextBuffer {
  #gathering: Buffer = Buffer.allocUnsafe(size)
  #other: Buffer | undefined
  #length = 0

  /** Adds a text; `true` when it is time to send what has gathered. */
  add(text: string): boolean {
    // A character of a JavaScript string has three bytes at most.
    const needed = this.#length + text.length * 3
    if (needed > this.#gathering.length) {
      const larger = Buffer.allocUnsafe(needed * 2)
      this.#gathering.copy(larger, 0, 0, this.#length)
      this.#gathering = larger
    }
    this.#length += this.#gathering.write(text, this.#length)
    return this.#length > size * 0.9
  }

  /** What has gathered. It stays as it is until the next call. */
  take(): Buffer {
    const taken = this.#gathering.subarray(0, this.#length)
    const next = this.#other ?? Buffer.allocUnsafe(size)
    this.#other = this.#gathering
    this.#gathering = next
    this.#length = 0
    return taken
  }
}
