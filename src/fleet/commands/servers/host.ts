/** `bulkhead fleet host`: hosts that may use the fleet's servers. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  add: {
    usage: '[options] <name...>',
    summary: "make the file with which a host uses the fleet's servers",
    load: () => import('./add-host.ts'),
  },
  remove: {
    usage: '[options] <name>',
    summary: "end a host's use of the fleet's servers at once",
    load: () => import('./remove-host.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet host add web-017', 'a file to copy to the host'],
        ['bulkhead fleet host remove web-017', 'its file counts no longer'],
      ),
    );
    addCommands(parent, parts);
  },
};
