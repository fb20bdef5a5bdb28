import { readdir } from 'node:fs/promises'
import type { Question } from './question.ts'

const folder = new URL('../questions/', import.meta.url)

/** The names of all questions: the files of `questions/`. */
export async function questionNames(): Promise<readonly string[]> {
  const files = await readdir(folder)
  return files
    .filter((file) => file.endsWith('.ts'))
    .map((file) => file.slice(0, -'.ts'.length))
    .sort()
}

/** Loads one question; its file exports it as `question`. */
export async function loadQuestion(name: string): Promise<Question> {
  const module: { question?: Question } = await import(new URL(`${name}.ts`, folder).href)
  if (!module.question) throw new Error(`questions/${name}.ts exports no question`)
  return module.question
}
