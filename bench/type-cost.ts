import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { median } from './src/statistics.ts'
import { calls, programs, schema } from './src/type-programs.ts'

// What our types cost the compiler: the same application on a schema of 100 models, with us and without.

/** For the list of questions. */
export const typeCostTitle = 'What our types cost the compiler: an application on a schema of 100 models.'

const rounds = 5
const models = 100
const run = promisify(execFile)
const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const require = createRequire(new URL('../package.json', import.meta.url))
const tsc = require.resolve('typescript/bin/tsc')
const progress = (message: string) => console.error(`bench: ${message}`)

interface Diagnostics {
  readonly instantiations: number
  readonly types: number
  readonly checkSeconds: number
  readonly totalSeconds: number
  readonly memoryMb: number
}

async function prepare(folder: string): Promise<void> {
  await symlink(at('./node_modules'), join(folder, 'node_modules'), 'dir')
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  await writeFile(join(folder, 'schema.prisma'), schema(models))
  progress(`generating the client of ${models} models`)
  const generator = at('../packages/core/bin/db-generate.mjs')
  await run(process.execPath, [generator, '--schema', join(folder, 'schema.prisma')], {
    cwd: at('../prisma'),
  })
  for (const { name, text } of programs(models)) {
    await writeFile(join(folder, `${name}.ts`), text)
    const compilerOptions = {
      module: 'NodeNext',
      target: 'ES2022',
      lib: ['ES2023', 'ESNext.Disposable'],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: true,
      allowImportingTsExtensions: true,
      noEmit: true,
      typeRoots: [at('../node_modules/@types')],
      types: ['node'],
    }
    await writeFile(join(folder, `${name}.json`), JSON.stringify({ compilerOptions, files: [`${name}.ts`] }))
  }
}

async function check(folder: string, name: string): Promise<Diagnostics> {
  const args = [tsc, '-p', join(folder, `${name}.json`), '--extendedDiagnostics']
  const { stdout } = await run(process.execPath, args, { cwd: folder, maxBuffer: 2 ** 26 }).catch(
    (error: { readonly stdout?: string }) => {
      throw new Error(`${name} does not compile:\n${error.stdout?.slice(0, 2_000)}`)
    },
  )
  const figure = (label: string): number =>
    Number.parseFloat(new RegExp(`^${label}:\\s+([\\d.]+)`, 'm').exec(stdout)?.[1] ?? 'NaN')
  return {
    instantiations: figure('Instantiations'),
    types: figure('Types'),
    checkSeconds: figure('Check time'),
    totalSeconds: figure('Total time'),
    memoryMb: Math.round(figure('Memory used') / 1024),
  }
}

async function measure(folder: string): Promise<string> {
  const names = programs(models).map(({ name }) => name)
  const taken = new Map(names.map((name) => [name, [] as Diagnostics[]]))
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`)
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      taken.get(name)?.push(await check(folder, name))
    }
  }
  const rows = programs(models).map(({ name }) => {
    const all = taken.get(name) ?? []
    const of = (key: keyof Diagnostics): number => median(all.map((each) => each[key]))
    const count = (key: keyof Diagnostics): string => of(key).toLocaleString('en-US')
    const seconds = (key: keyof Diagnostics): string => of(key).toFixed(2)
    return `| ${name} | ${count('instantiations')} | ${count('types')} | ${seconds('checkSeconds')} | ${seconds('totalSeconds')} | ${of('memoryMb')} |`
  })
  const { version } = require('typescript/package.json') as { version: string }
  return [
    '# type-cost',
    '',
    `What our types cost the compiler: an application on a schema of ${models} models, checked by \`tsc\` with our published declarations.`,
    '',
    '| program | instantiations | types | check s | total s | memory MB |',
    '| --- | ---: | ---: | ---: | ---: | ---: |',
    ...rows,
    '',
    `${rounds} rounds, programs in turn, medians. \`skipLibCheck\`, as new projects have it. Less is better.`,
    '',
    ...programs(models).map(({ name, detail }) => `- \`${name}\`: ${detail}`),
    '',
    `The calls of each model are ${calls.length}: ${calls.join(', ')}.`,
    '',
    `Date ${new Date().toISOString().slice(0, 10)} · CPU ${cpus().length} × ${cpus()[0]?.model.trim()} · Node.js ${process.versions.node} · TypeScript ${version}`,
    '',
  ].join('\n')
}

/** Measures, prints the table and keeps it. */
export async function answerTypeCost(): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'type-cost-'))
  try {
    await prepare(folder)
    const text = await measure(folder)
    console.log(text)
    await mkdir(at('./results'), { recursive: true })
    await writeFile(at('./results/type-cost.md'), text)
    progress('kept in bench/results/type-cost.md')
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
