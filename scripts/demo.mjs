#!/usr/bin/env node
// `npm run demo`: set-up, then the shop's demo on an embedded PostgreSQL. `npm run demo -- --serve` keeps its API up.
import { join } from 'node:path'
import { runChild } from './lib/child.mjs'
import { main } from './lib/step.mjs'
import { readJson, root } from './lib/workspace.mjs'
import { setup } from './setup.mjs'

await main(async () => {
  const { env } = await setup({ sources: true })
  const shop = join(root, 'apps/shop')
  // Its script is `tsx … FILE`, run by this Node without pnpm or a shell between, so that signals and exit codes are its own.
  const [, ...command] = readJson(join(shop, 'package.json')).scripts.demo.split(' ')
  const args = ['--import', 'tsx', ...command, ...process.argv.slice(2)]
  const { code } = await runChild(process.execPath, args, {
    cwd: shop,
    env,
    output: 'inherit',
    exitCode: 'own',
  })
  process.exitCode = code
})
