// The fenced `ts` blocks of a Markdown file as modules. The rules, which CONTRIBUTING.md tells too:
//   ```ts              a module of its own
//   ```ts src/db.ts    the same, and later blocks of the file may import it by this path
//   ```ts continued    goes on where the block before it ended, in the same module
// Other languages are not looked at; `typescript` is not a way around, but counts as `ts`.

/**
 * @typedef {object} ReadmeModule
 * @property {string} path the module's path below the folder that stands for the reader's project
 * @property {string} text
 * @property {readonly number[]} lines for each line of `text`, its line in the Markdown file, from 1
 */

/**
 * @param {string} markdown
 * @returns {{ modules: readonly ReadmeModule[], problems: readonly { line: number, message: string }[] }}
 */
export function readmeModules(markdown) {
  const modules = []
  const problems = []
  for (const { info, line, body } of fencedBlocks(markdown)) {
    const [language, ...words] = info.split(/\s+/)
    if (language !== 'ts' && language !== 'typescript') continue
    const word = words.join(' ')
    const previous = modules.at(-1)
    const lines = body.map((_, index) => line + 1 + index)
    if (word === 'continued') {
      if (previous) {
        previous.text += `${body.join('\n')}\n`
        previous.lines.push(...lines)
      } else problems.push({ line, message: '`ts continued` has no block before it' })
    } else if (word === '' || /^[\w./-]+\.ts$/.test(word)) {
      modules.push({ path: word || `example-${modules.length + 1}.ts`, text: `${body.join('\n')}\n`, lines })
    } else {
      problems.push({ line, message: `\`ts ${word}\`: after \`ts\` comes nothing, \`continued\` or a path` })
    }
  }
  return { modules, problems }
}

/** All fenced code blocks: the info string, the fence's line from 1, and the lines between without the fence's indent. */
function fencedBlocks(markdown) {
  const blocks = []
  let open
  for (const [index, text] of markdown.split(/\r?\n/).entries()) {
    const fence = /^(\s*)(`{3,}|~{3,})\s*(.*?)\s*$/.exec(text)
    if (open) {
      const closes = fence && fence[3] === '' && fence[2].startsWith(open.fence)
      if (closes) {
        blocks.push(open)
        open = undefined
      } else {
        open.body.push(text.startsWith(open.indent) ? text.slice(open.indent.length) : text.trimStart())
      }
    } else if (fence) {
      open = { indent: fence[1], fence: fence[2], info: fence[3], line: index + 1, body: [] }
    }
  }
  return blocks
}
