/** `bulkhead history`: the history on other servers, and of tenants that move to another host. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  push: {
    usage: '[options]',
    summary: 'push what is due to the address of <history push>',
    load: () => import('./push.ts'),
  },
  export: {
    usage: '[options] <tenant>',
    summary: 'write the history of a tenant that moves to another host',
    load: () => import('./export.ts'),
  },
  import: {
    usage: '[options] <file>',
    summary: "import a moved tenant's history; commands show it with its origin",
    load: () => import('./import.ts'),
  },
};

export const command: CommandModule = {
  define(command) {
    addCommands(command, parts);
    command.addHelpText(
      'after',
      examples(
        ['systemctl enable --now bulkhead-history-push.timer', 'push every five minutes'],
        ['bulkhead history export alice --to alice.history', 'on the host that she leaves'],
        [
          'bulkhead history import alice.history --as alice --key SHA256:0TqcnQ0y…',
          'on the new one',
        ],
      ),
    );
  },
};
