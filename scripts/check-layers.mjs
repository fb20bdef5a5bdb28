#!/usr/bin/env node
// `npm run check:layers`: do all packages import only what their layer may?
import { join } from 'node:path'
import { layerProblems } from './lib/layers.mjs'
import { root, workspaceFolders } from './lib/workspace.mjs'

const packages = workspaceFolders().filter((folder) => folder.startsWith(join(root, 'packages')))
const problems = packages.flatMap((folder) => layerProblems(folder, root))
for (const problem of problems) console.error(problem)
console.log(`${packages.length} packages, ${problems.length} broken layers`)
process.exitCode = problems.length > 0 ? 1 : 0
