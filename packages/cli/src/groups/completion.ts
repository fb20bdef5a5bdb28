import type { CommandAnswer, CommandCall, CommandGroup } from '@org/db-core/commands'
import type { OrgdbConfig } from '../config.ts'
import { commandOf, findGroup, groupNames } from '../find-group.ts'
import { globals } from '../parse-arguments.ts'
import { UsageError } from '../usage-error.ts'

/** `orgdb completion SHELL`: a script for the shell, which asks `orgdb completion words` what can come next. */
export function completionGroup(cwd: string, config: OrgdbConfig): CommandGroup {
  return {
    name: 'completion',
    description: 'completion for bash, zsh or fish',
    commands: [
      {
        name: '',
        description: 'prints the script: source <(orgdb completion bash)',
        arguments: ['SHELL', 'WORD…'],
        run: async (call) => {
          if (call.arguments.SHELL !== 'words') return script(call)
          const words = await next(call.rest, { cwd, config })
          return { text: words.join('\n'), json: { words } }
        },
      },
    ],
  }
}

/** What can stand behind the words. */
async function next(
  [group, command]: readonly string[],
  { cwd, config }: { readonly cwd: string; readonly config: OrgdbConfig },
): Promise<readonly string[]> {
  if (group === undefined) return groupNames(config, cwd)
  const found = await findGroup(group, config, cwd)
  const chosen = commandOf(found, command)
  if (!chosen) return found.commands.map(({ name }) => name)
  return [...Object.keys(chosen.options ?? {}), ...Object.keys(globals)].map((name) => `--${name}`)
}

const scripts: Readonly<Record<string, string>> = {
  bash: `_orgdb() {
  COMPREPLY=($(compgen -W "$(orgdb completion words -- "\${COMP_WORDS[@]:1:COMP_CWORD-1}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _orgdb orgdb`,
  zsh: `#compdef orgdb
_orgdb() {
  compadd -- \${(f)"$(orgdb completion words -- \${words[2,CURRENT-1]} 2>/dev/null)"}
}
compdef _orgdb orgdb`,
  fish: `complete -c orgdb -f -a '(orgdb completion words -- (commandline -opc)[2..] 2>/dev/null)'`,
}

function script(call: CommandCall): CommandAnswer {
  const { SHELL: shell = '' } = call.arguments
  const text = scripts[shell]
  if (text !== undefined) return { text, json: { script: text } }
  throw new UsageError(`orgdb completion needs one of ${Object.keys(scripts).join(', ')}`)
}
