/** `bulkhead panel hooks`: has the panel call Bulkhead when accounts and plans change. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '',
    summary: 'have the panel call Bulkhead; its own hooks stay',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '',
    summary: 'take these calls out of the panel again',
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show which hooks of the panel call Bulkhead',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead panel hooks enable', 'a new plan counts at once'],
        ['bulkhead panel hooks disable', 'the hooks as they were before'],
      ),
    );
    addCommands(parent, parts);
  },
};
