import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'

// Tests see the packages' sources, so nothing has to be built before them.
const conditions = ['@org/source', 'module', 'node', 'development|production']

// One config for all: from the root for everything, from a package with `--root .` for its own tests.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: [
      'test/**/*.test.ts',
      'scripts/test/**/*.test.mjs',
      '{packages,apps}/*/test/**/*.test.ts',
      '{prisma,proofs,bench}/test/**/*.test.ts',
    ],
    globalSetup: fileURLToPath(new URL('packages/testing/src/vitest.ts', import.meta.url)),
    // Real servers run beside the workers.
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
