/** `bulkhead remove TENANT`: takes the tenant's own element out of the policy. */
import type { Command } from 'commander';
import { removeTarget } from '../../../policy/edit.ts';
import { examples, type CommandResult, type CommandModule } from '../../shared/command.ts';
import {
  editPolicy,
  tenantNamed,
  withEditOptions,
  type EditOptions,
} from '../../shared/edit-policy.ts';

function remove(name: string, options: EditOptions, command: Command): CommandResult {
  const { what, target } = tenantNamed(name);
  return editPolicy(options, command, what, (text, paths) => removeTarget(text, target(paths)));
}

export const command: CommandModule = {
  define(program, run) {
    withEditOptions(
      program
        .command('remove <tenant>')
        .description(
          'remove what the policy says of a tenant; in a range of uids it stays a tenant',
        ),
    )
      .addHelpText('after', examples(['bulkhead remove alice', '']))
      .action(run(remove));
  },
};
