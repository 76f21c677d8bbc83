/** `bulkhead remove TENANT`: removes the element of a tenant, or of one of its sites, from the policy. */
import type { Command } from 'commander';
import { removeTarget } from '../../../policy/edit.ts';
import { examples, type CommandResult, type CommandModule } from '../../shared/command.ts';
import {
  runPolicyEdit,
  tenantNamed,
  withEditOptions,
  type EditOptions,
} from '../../shared/edit-policy.ts';

function remove(name: string, options: EditOptions, command: Command): CommandResult {
  const { what, target } = tenantNamed(name);
  return runPolicyEdit(options, command, what, (text, paths) => removeTarget(text, target(paths)));
}

export const command: CommandModule = {
  define(command, run) {
    withEditOptions(command)
      .addHelpText(
        'after',
        examples(
          ['bulkhead remove alice', ''],
          ['bulkhead remove alice/shop.example', 'one of her sites'],
        ),
      )
      .action(run(remove));
  },
};
