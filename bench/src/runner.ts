import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Metric, Plan, Question, Sample, Stage, Variant } from './question.ts'
import { median, pairedRatio, type Ratio } from './statistics.ts'
import { measureTurn, runFor } from './turn.ts'

/** One line of the result: one variant at one concurrency, medians over the rounds. */
export interface Row {
  readonly variant: string
  readonly concurrency: number
  readonly median: number
  readonly unit: string
  /** To the baseline at the same concurrency. */
  readonly ratio: Ratio
  readonly p50Us: number | undefined
  readonly p99Us: number | undefined
  readonly clientCpuUs: number | undefined
  readonly serverCpuUs: number | undefined
}

/** What `measure` is given. */
export interface MeasureOptions {
  readonly question: Pick<Question, 'metric' | 'baseline'>
  readonly stage: Stage
  readonly plan: Plan
  readonly progress: (message: string) => void
}

const units: Readonly<Record<Metric, string>> = { throughput: 'ops/s', 'client-cpu': 'µs CPU/op' }

/** Takes the variants in turn, round after round, and returns a row for each at each concurrency. */
export async function measure(options: MeasureOptions): Promise<readonly Row[]> {
  const { question, stage, plan } = options
  if (!stage.variants.some(({ name }) => name === question.baseline)) {
    throw new Error(`No variant is named ${question.baseline}, the baseline`)
  }
  const rows: Row[] = []
  for (const concurrency of plan.concurrency) {
    const samples = await measureRounds(options, concurrency)
    const baseline = valuesOf(samples.get(question.baseline) ?? [], question.metric)
    for (const [variant, taken] of samples) {
      // A program that measures itself has no client CPU to compare.
      const values = valuesOf(taken, question.metric)
      rows.push({
        variant,
        concurrency,
        median: median(values),
        unit: units[question.metric],
        ratio: pairedRatio(values, baseline),
        p50Us: medianOf(taken, 'p50Us'),
        p99Us: medianOf(taken, 'p99Us'),
        clientCpuUs: medianOf(taken, 'clientCpuUs'),
        serverCpuUs: medianOf(taken, 'serverCpuUs'),
      })
    }
  }
  return rows
}

async function measureRounds(options: MeasureOptions, concurrency: number): Promise<Map<string, Sample[]>> {
  const { stage, plan, progress } = options
  const samples = new Map<string, Sample[]>(stage.variants.map(({ name }) => [name, []]))
  progress(`concurrency ${concurrency}: warm-up`)
  for (const variant of stage.variants) {
    await stage.beforeTurn?.()
    await leadIn(variant, concurrency, plan.warmUpSeconds)
  }
  let reportedAt = 0
  for (let round = 0; round < plan.rounds; round += 1) {
    if (Date.now() - reportedAt > 2_000) {
      progress(`concurrency ${concurrency}: round ${round + 1} of ${plan.rounds}`)
      reportedAt = Date.now()
    }
    // There and back again, so that nobody always runs behind the same neighbour.
    const order = round % 2 === 0 ? stage.variants : stage.variants.toReversed()
    for (const variant of order) {
      await stage.beforeTurn?.()
      await leadIn(variant, concurrency, Math.min(0.1, plan.seconds / 10))
      collectYoungGarbage()
      const turn = { concurrency, seconds: plan.seconds, postmasterPid: stage.postmasterPid }
      samples.get(variant.name)?.push(await measureTurn(variant, turn))
    }
  }
  return samples
}

/** Brings connections, caches and the processor's branch predictor back to this variant. */
async function leadIn(variant: Variant, concurrency: number, seconds: number): Promise<void> {
  if ('operation' in variant) await runFor(() => variant.operation(), { concurrency, seconds })
}

function valuesOf(samples: readonly Sample[], metric: Metric): readonly number[] {
  return samples.map((sample) =>
    metric === 'throughput' ? sample.operationsPerSecond : (sample.clientCpuUs ?? Number.NaN),
  )
}

function medianOf(samples: readonly Sample[], field: keyof Sample): number | undefined {
  const values = samples.map((sample) => sample[field]).filter((value) => value !== undefined)
  return values.length === 0 ? undefined : median(values)
}

setFlagsFromString('--expose-gc')
const gc: (options: { type: 'minor' }) => void = runInNewContext('gc')

/** So that a variant doesn't pay for what its predecessor left behind. */
function collectYoungGarbage(): void {
  // A full collection would age the code of the variants that wait, and have it compiled again.
  gc({ type: 'minor' })
}
