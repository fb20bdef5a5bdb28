import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import type * as EngineModule from '@prisma/schema-engine-wasm/schema_engine_bg'

type Bindings = typeof EngineModule

interface WebAssemblyLike {
  compile(bytes: Uint8Array): Promise<object>
  instantiate(
    module: object,
    imports: object,
  ): Promise<{ readonly exports: Readonly<Record<string, unknown>> }>
}

let loaded: Promise<Bindings> | undefined

/** Prisma's schema engine in WebAssembly, loaded once; its own entry point needs a bundler that understands `.wasm`. */
export function loadEngine(): Promise<Bindings> {
  loaded ??= load()
  return loaded
}

async function load(): Promise<Bindings> {
  const require = createRequire(import.meta.url)
  const path = require.resolve('@prisma/schema-engine-wasm/schema_engine_bg')
  const bindings: Bindings & { __wbg_set_wasm(exports: unknown): void } = await import(
    pathToFileURL(path).href
  )
  // Node has WebAssembly; its types come with those of browsers only.
  const { WebAssembly } = globalThis as unknown as { readonly WebAssembly: WebAssemblyLike }
  const module = await WebAssembly.compile(await readFile(path.replace(/\.js$/, '.wasm')))
  const instance = await WebAssembly.instantiate(module, { './schema_engine_bg.js': bindings })
  bindings.__wbg_set_wasm(instance.exports)
  const start = instance.exports.__wbindgen_start
  if (typeof start === 'function') start()
  return bindings
}
