#!/usr/bin/env node
// `npm run check:readme`: do the examples in README.md, docs/ and the packages' READMEs compile?
// The rules for their code blocks are in lib/readme-blocks.mjs.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { checkReadmes } from './lib/readme-program.mjs'
import { filesIn } from './lib/stamp.mjs'
import { root, workspaceFolders } from './lib/workspace.mjs'

const files = [root, ...workspaceFolders()]
  .map((folder) => join(folder, 'README.md'))
  .concat(filesIn(join(root, 'docs')).filter((file) => file.endsWith('.md')))
  .filter((file) => existsSync(file))
const { modules, problems } = checkReadmes(files, root)
for (const problem of problems) console.error(problem)
console.log(`${modules} examples in ${files.length} files, ${problems.length} errors`)
process.exitCode = problems.length > 0 ? 1 : 0
