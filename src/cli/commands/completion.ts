/** `bulkhead completion SHELL`: a script that completes commands, options and tenants. */
import type { Command } from 'commander';
import { attributes } from '../../limits/limits.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { printError, print } from '../shared/session.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

async function completion(shell: string): Promise<ExitCode> {
  const { makeWholeProgram } = await import('../program.ts');
  const program = await makeWholeProgram();
  switch (shell) {
    case 'bash':
      print(bash(program));
      return exitCodes.done;
    case 'zsh':
      print(`autoload -U +X bashcompinit && bashcompinit\n${bash(program)}`);
      return exitCodes.done;
    case 'fish':
      print(fish(program));
      return exitCodes.done;
    default:
      printError(`"${shell}" is not one of ${shells.join(', ')}`);
      return exitCodes.usage;
  }
}

const optionsOf = (command: Command) =>
  command.options.flatMap((each) => (each.long === undefined ? [] : [each.long]));
const assignments = () =>
  [...attributes.values()].map(({ key }) => `${key.replace(/\.limit$/, '')}=`);

/** Commands whose first word is a tenant. */
const ofTenant = ['explain', 'set', 'unset', 'remove', 'exec', 'ps', 'usage', 'faults'];

/** Commands whose first word is a policy. */
const ofPolicy = ['check', 'plan', 'apply', 'verify'];

function bash(program: Command): string {
  const names = program.commands.map((each) => each.name());
  const cases = program.commands.map((each) => {
    const inner = each.commands.map((sub) => sub.name());
    const words = [...inner, ...optionsOf(each), ...each.commands.flatMap(optionsOf), '--help'];
    return `    ${each.name()}) words="${[...new Set(words)].join(' ')}" ;;`;
  });
  return `# bash completion of bulkhead; written by "bulkhead completion bash"
_bulkhead() {
  local word=\${COMP_WORDS[COMP_CWORD]} verb=\${COMP_WORDS[1]} words
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${names.join(' ')}" -- "$word"))
    return
  fi
  case \${COMP_WORDS[COMP_CWORD - 1]} in
    -p | --policy) COMPREPLY=($(compgen -f -- "$word")); return ;;
  esac
  case $verb in
    ${ofPolicy.join(' | ')})
      case $word in -*) ;; *) COMPREPLY=($(compgen -f -- "$word")); return ;; esac ;;
  esac
  case $verb in
${cases.join('\n')}
  esac
  case $verb in
    ${ofTenant.join(' | ')}) [ "$COMP_CWORD" -eq 2 ] && words="$words $(compgen -u)" ;;
  esac
  case $verb in
    set | package | defaults | reseller) words="$words ${assignments().join(' ')}" ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
  case \${COMPREPLY[0]} in *=) compopt -o nospace ;; esac
}
complete -F _bulkhead bulkhead`;
}

function fish(program: Command): string {
  const quote = (text: string) => `'${text.replaceAll("'", String.raw`\'`)}'`;
  const lines = program.commands.flatMap((each) => [
    `complete -c bulkhead -f -n __fish_use_subcommand -a ${each.name()} -d ${quote(each.description())}`,
    ...each.options.flatMap((option) =>
      option.long === undefined
        ? []
        : [
            `complete -c bulkhead -n '__fish_seen_subcommand_from ${each.name()}' -l ${option.long.slice(2)} -d ${quote(option.description)}`,
          ],
    ),
  ]);
  const tenants = `complete -c bulkhead -f -n '__fish_seen_subcommand_from ${ofTenant.join(' ')}' -a '(__fish_complete_users)'`;
  return [
    '# fish completion of bulkhead; written by "bulkhead completion fish"',
    ...lines,
    tenants,
  ].join('\n');
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addHelpText(
        'after',
        examples(
          ['bulkhead completion bash > /etc/bash_completion.d/bulkhead', ''],
          ['bulkhead completion fish | source', ''],
        ),
      )
      .action(run(completion));
  },
};
