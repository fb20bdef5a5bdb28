// Reads of one tick become one command: at some load that is cheaper than a command each, bare GETs included.

type Answers = readonly (Buffer | null)[]

/** What one command asks for. */
export interface Batch {
  /** Where the answer to the key will stand. */
  add(key: string): number
  /** To be called when a reader has added its keys. `undefined` if nothing that Redis says can be believed. */
  answers(): Promise<Answers | undefined>
  /** An answer as text; `''` for a key that is not there. */
  text(answers: Answers, index: number): string
}

/** More keys than this are asked for by a further command, so that none takes Redis long. */
const maxKeys = 128

/** Collects the keys of one tick. @param ask sends the question */
export function createBatches(ask: (keys: readonly string[]) => Promise<Answers | undefined>): () => Batch {
  let inFlight = 0
  const land = (): void => {
    inFlight--
  }
  let open: (Batch & { readonly size: () => number }) | undefined

  function start(): Batch & { readonly size: () => number } {
    const keys: string[] = []
    const texts: (string | undefined)[] = []
    let sent: Promise<Answers | undefined> | undefined
    let places: Map<string, number> | undefined

    function placeOf(key: string): number | undefined {
      // For the few keys of a single read a map would cost more than it saves.
      if (keys.length < 8) {
        const known = keys.indexOf(key)
        return known < 0 ? undefined : known
      }
      places ??= new Map(keys.map((each, index) => [each, index]))
      return places.get(key)
    }

    function send(): Promise<Answers | undefined> {
      if (open === batch) open = undefined
      inFlight++
      const asked = ask(keys)
      asked.then(land, land)
      return asked
    }

    /** After all that is ready to run now, and before anything that has to wait for the network. */
    function later(resolve: (answers: Promise<Answers | undefined>) => void): void {
      process.nextTick(() => resolve(send()))
    }

    const batch = {
      size: () => keys.length,
      add(key: string): number {
        const known = placeOf(key)
        if (known !== undefined) return known
        places?.set(key, keys.length)
        return keys.push(key) - 1
      },
      answers(): Promise<Answers | undefined> {
        // A reader that is alone gains nothing by waiting for others.
        sent ??= inFlight === 0 ? send() : new Promise(later)
        return sent
      },
      text(answers: Answers, index: number): string {
        texts[index] ??= answers[index]?.toString('latin1') ?? ''
        return texts[index]
      },
    }
    return batch
  }

  return () => {
    if (open === undefined || open.size() >= maxKeys) open = start()
    return open
  }
}
