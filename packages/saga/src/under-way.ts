/** What of a saga is under way. When nothing is any more, and all that has just become possible has begun, it is told. */
export class UnderWay {
  readonly #onIdle: () => void
  readonly #asItself: (fn: () => void) => void
  #count = 0
  #isLooking = false

  /** `asItself` runs a function as the saga itself, whoever lets it go on. */
  constructor(asItself: (fn: () => void) => void, onIdle: () => void) {
    this.#asItself = asItself
    this.#onIdle = onIdle
  }

  begin(): void {
    this.#count += 1
  }

  end(): void {
    this.#count -= 1
    this.look()
  }

  look(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    this.#asItself(() =>
      setImmediate(() => {
        this.#isLooking = false
        if (this.#count === 0) this.#onIdle()
      }),
    )
  }
}
