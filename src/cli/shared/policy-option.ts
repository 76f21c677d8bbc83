/** The option that names the policy, the same for every command. */
import { Option, type Command } from 'commander';
import { exitCodes, type CommandResult, type PolicyOptions } from './command.ts';
import { printError } from './output.ts';

export const defaultPolicy = '/etc/bulkhead/policy.xml';

export function policyOption(): Option {
  return new Option('-p, --policy <file>', 'policy file').default(defaultPolicy);
}

/** Whether the command line names a policy, even the default one. */
export const namesPolicy = (command: Command): boolean =>
  command.getOptionValueSource('policy') !== 'default';

/**
 * Whether the caller is a tenant or a reseller, who asks the agent about its own limits, rather than an administrator
 * who edits a policy.
 */
export const isForAgent = (command: Command): boolean =>
  process.geteuid?.() !== 0 && !namesPolicy(command);

/** The description of the argument of commands about a whole policy: `check new.xml` is `check -p new.xml`. */
export const policyArgument = 'policy file; same as --policy';

export const takingFile =
  <Options extends PolicyOptions>(action: (options: Options, command: Command) => CommandResult) =>
  (file: string | undefined, options: Options, command: Command): CommandResult => {
    if (file === undefined) return action(options, command);
    if (namesPolicy(command) && options.policy !== file) {
      printError({
        action: 'use the policy',
        object: file,
        reason: `"${options.policy}" is named too`,
        hint: 'name one',
      });
      return exitCodes.usage;
    }
    return action({ ...options, policy: file }, command);
  };
