/** `bulkhead panel`: what the control panel of this host knows, and what of it a policy uses. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  hooks: {
    usage: '',
    summary: 'have the panel call Bulkhead when accounts and plans change',
    load: () => import('./hooks/hooks.ts'),
  },
  status: {
    usage: '[options]',
    summary:
      'show what Bulkhead read from the panel, from which files, and what it could not read (exits with 3)',
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options]',
    summary: 'read the panel anew, for a policy with <panel>',
    load: () => import('./sync.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead panel status', 'accounts, packages, resellers, domains, problems'],
        ['bulkhead panel sync', "in a hook of the panel: a new account's plan counts at once"],
      ),
    );
    addCommands(parent, parts);
  },
};
