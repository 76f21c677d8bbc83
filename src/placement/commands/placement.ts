/** `bulkhead placement`: refusals of the kernel to tenants, other than limits. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary: 'show whether strict placement is in force, and what it has refused or would refuse',
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options]',
    summary: 'reconcile the kernel with the policy, as apply and each boot do',
    load: () => import('./sync.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(['bulkhead placement status', 'with <placement strict="watch"/> in the policy']),
    );
    addCommands(parent, parts);
  },
};
