import { parseArguments, UsageError, usage } from './src/arguments.ts'
import { loadProof, promiseNames } from './src/catalogue.ts'
import { summary, toJsonLines, toText } from './src/output.ts'
import { runProof } from './src/run.ts'

const progress = (message: string) => console.error(`prove: ${message}`)

async function main(argv: readonly string[]): Promise<void> {
  const { name, json, scale } = parseArguments(argv)
  const names = await promiseNames()
  if (name === undefined) return list(names)
  if (!names.includes(name)) throw new UsageError(`No promise is named ${name}. Known: ${names.join(', ')}`)
  const proof = await loadProof(name)
  if (!json) console.log(`${name}: ${proof.title}\n`)
  const outcome = await runProof(proof, { scale, progress, signal: interrupted() })
  // Where the lines of the outcome are for a program, the count is for whoever watches.
  if (json) progress(summary(outcome))
  console.log(json ? toJsonLines(name, outcome) : toText(outcome))
  if (outcome.failed > 0) process.exitCode = 1
}

async function list(names: readonly string[]): Promise<void> {
  console.log(`${usage}\n`)
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) console.log(`${name.padEnd(width)}  ${(await loadProof(name)).title}`)
}

/** Aborts on the first Ctrl-C, so that the proof stops its servers; the second one ends the process. */
function interrupted(): AbortSignal {
  const controller = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => controller.abort(new Error(`Ended early by ${signal}`)))
  }
  return controller.signal
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n${usage}`)
  process.exitCode = 2
}
