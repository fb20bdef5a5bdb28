import type { Check, Figure, Proof, ProveOptions } from './proof.ts'

/** What came of a proof. */
export interface Outcome {
  readonly checks: readonly Check[]
  readonly figures: readonly Figure[]
  readonly passed: number
  readonly failed: number
}

/** What `runProof` is given. */
export interface RunOptions extends Pick<ProveOptions, 'scale' | 'signal'> {
  readonly progress: (message: string) => void
}

/** Runs a proof to its end. A proof that breaks off, or checks nothing, has failed. */
export async function runProof(proof: Proof, { progress, ...options }: RunOptions): Promise<Outcome> {
  const figures: Figure[] = []
  const report = { progress, figure: (figure: Figure) => void figures.push(figure) }
  const checks = await proof.prove({ ...options, report }).catch((error: unknown) => [brokenOff(error)])
  const counted = checks.length > 0 ? checks : [{ name: 'the proof checks something', passed: false }]
  const passed = counted.filter((check) => check.passed).length
  return { checks: counted, figures, passed, failed: counted.length - passed }
}

function brokenOff(error: unknown): Check {
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { name: 'the proof runs to its end', passed: false, detail }
}
