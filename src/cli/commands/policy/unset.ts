/** `bulkhead unset TENANT cpu`: the tenant inherits the limit again. */
import type { Command } from 'commander';
import { examples, type CommandResult, type CommandModule } from '../../shared/command.ts';
import { tenantNamed, withEditOptions, type EditOptions } from '../../shared/edit-policy.ts';
import { isForAgent } from '../../shared/policy-option.ts';
import { changeOwn } from './set-own.ts';
import { unsetIn } from './set-limits.ts';

function unset(
  name: string,
  names: string[],
  options: EditOptions,
  command: Command,
): CommandResult {
  if (isForAgent(command)) return changeOwn(name, { set: [], unset: names }, options, command);
  return unsetIn(tenantNamed(name), names, options, command);
}

export const command: CommandModule = {
  define(command, run) {
    withEditOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead unset alice cpu memory.soft', ''],
          ['bulkhead unset alice io', 'all attributes of io'],
          ['bulkhead unset alice package', ''],
          ['bulkhead unset alice/shop.example memory', 'for one of her sites'],
        ),
      )
      .action(run(unset));
  },
};
