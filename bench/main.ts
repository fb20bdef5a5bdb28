import { mkdir, writeFile } from 'node:fs/promises'
import { type Arguments, parseArguments, UsageError, usage } from './src/arguments.ts'
import { loadQuestion, questionNames } from './src/catalogue.ts'
import { machine } from './src/environment.ts'
import type { Plan, Question } from './src/question.ts'
import { type Result, toJsonLines, toMarkdown } from './src/report.ts'
import { measure } from './src/runner.ts'
import { answerTypeCost, typeCostTitle } from './type-cost.ts'

const progress = (message: string) => console.error(`bench: ${message}`)

async function main(argv: readonly string[]): Promise<void> {
  if (argv.join() === 'type-cost') return answerTypeCost()
  const { name, ...options } = parseArguments(argv)
  const names = await questionNames()
  if (name === undefined) return list(names)
  if (!names.includes(name)) throw new UsageError(`No question is named ${name}. Known: ${names.join(', ')}`)
  const question = await loadQuestion(name)
  const result = await answer(name, question, options.plan)
  console.log(options.json ? toJsonLines(result) : toMarkdown(result))
  await save(result, question)
}

async function list(names: readonly string[]): Promise<void> {
  console.log(`${usage}\n`)
  const width = Math.max(...names.map((name) => name.length))
  for (const name of names) console.log(`${name.padEnd(width)}  ${(await loadQuestion(name)).title}`)
  console.log(`${'type-cost'.padEnd(width)}  ${typeCostTitle}`)
}

async function answer(name: string, question: Question, changed: Arguments['plan']): Promise<Result> {
  const plan: Plan = { ...question.plan, ...changed }
  const stage = await question.setup({ plan, progress })
  try {
    const rows = await measure({ question, stage, plan, progress })
    return {
      name,
      question,
      plan,
      rows,
      details: new Map(stage.variants.map((variant) => [variant.name, variant.detail])),
      environment: { ...machine(), ...stage.environment },
      notes: stage.notes,
    }
  } finally {
    await stage.close()
  }
}

/** Keeps the result beside the others, unless it was measured for less than the question asks for. */
async function save(result: Result, { plan }: Question): Promise<void> {
  const short =
    result.plan.rounds < plan.rounds ||
    result.plan.seconds < plan.seconds ||
    plan.concurrency.some((concurrency) => !result.plan.concurrency.includes(concurrency))
  if (short)
    return progress(`shorter than ${plan.rounds} rounds of ${plan.seconds} s: not kept in bench/results`)
  const folder = new URL('./results/', import.meta.url)
  await mkdir(folder, { recursive: true })
  await writeFile(new URL(`${result.name}.md`, folder), `${toMarkdown(result)}\n`)
  progress(`kept in bench/results/${result.name}.md`)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof UsageError)) throw error
  console.error(`${error.message}\n${usage}`)
  process.exitCode = 2
}
