/** `bulkhead history`: the history on other servers. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  push: {
    usage: '[options]',
    summary: 'push what is due to the address of <history push>',
    load: () => import('./push.ts'),
  },
};

export const command: CommandModule = {
  define(command) {
    addCommands(command, parts);
    command.addHelpText(
      'after',
      examples(['systemctl enable --now bulkhead-history-push.timer', 'push every five minutes']),
    );
  },
};
