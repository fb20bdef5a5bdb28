import { existsSync, readFileSync } from 'node:fs'
import { defineConfig } from 'tsup'

interface Manifest {
  exports?: Record<string, string | { '@org/source'?: string }>
}

// The exports map of the package is the only list of its entry points.
const manifest: Manifest = existsSync('package.json') ? JSON.parse(readFileSync('package.json', 'utf8')) : {}
const entry = Object.values(manifest.exports ?? {}).flatMap((target) =>
  typeof target === 'object' && target['@org/source'] ? [target['@org/source']] : [],
)

export default defineConfig({
  entry,
  format: 'esm',
  target: 'node20',
  platform: 'node',
  // Shared chunks keep one copy of each module across the entry points of a package.
  splitting: true,
  sourcemap: true,
  clean: true,
  dts: false,
})
