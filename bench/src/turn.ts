import { performance } from 'node:perf_hooks'
import type { OperationVariant, ProgramVariant, Sample, Variant } from './question.ts'
import { readServerCpu, serverCpuBetweenUs } from './server-cpu.ts'
import { sortedQuantile } from './statistics.ts'

/** How one turn is measured. */
export interface TurnOptions {
  readonly concurrency: number
  readonly seconds: number
  readonly postmasterPid?: number | undefined
}

/** Measures one turn of one variant. An operation that fails ends the run: a benchmark of errors is none. */
export function measureTurn(variant: Variant, options: TurnOptions): Promise<Sample> {
  return 'operation' in variant ? measureOperation(variant, options) : measureProgram(variant, options)
}

/** Runs `operation` for `seconds` with so many in flight and returns the latency of each, in milliseconds. */
export async function runFor(
  operation: () => Promise<unknown>,
  options: { readonly concurrency: number; readonly seconds: number },
): Promise<number[]> {
  const latencies: number[] = []
  const end = performance.now() + options.seconds * 1000
  const customer = async () => {
    let before = performance.now()
    while (before < end) {
      await operation()
      const after = performance.now()
      latencies.push(after - before)
      before = after
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, customer))
  return latencies
}

async function measureOperation(variant: OperationVariant, options: TurnOptions): Promise<Sample> {
  const operation = () => variant.operation()
  const serverBefore = readServerCpu(options.postmasterPid)
  const cpuBefore = process.cpuUsage()
  const start = performance.now()
  const latencies = await runFor(operation, options)
  const seconds = (performance.now() - start) / 1000
  const cpu = process.cpuUsage(cpuBefore)
  const server = serverCpuBetweenUs(serverBefore, readServerCpu(options.postmasterPid))
  const sorted = Float64Array.from(latencies).sort()
  return {
    operations: latencies.length,
    operationsPerSecond: latencies.length / seconds,
    p50Us: sortedQuantile(sorted, 0.5) * 1000,
    p99Us: sortedQuantile(sorted, 0.99) * 1000,
    clientCpuUs: (cpu.user + cpu.system) / latencies.length,
    serverCpuUs: server === undefined ? undefined : server / latencies.length,
  }
}

async function measureProgram(variant: ProgramVariant, options: TurnOptions): Promise<Sample> {
  const sample = await variant.run(options)
  return {
    operations: sample.operations,
    operationsPerSecond: sample.operations / sample.seconds,
    p50Us: sample.p50Us,
    p99Us: sample.p99Us,
    clientCpuUs: undefined,
    // Its backends end with the program, and with them the record of their CPU time.
    serverCpuUs: undefined,
  }
}
