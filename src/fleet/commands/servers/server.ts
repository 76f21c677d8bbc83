/** `bulkhead fleet server`: the servers of NATS that carry a fleet's documents. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  init: {
    usage: '[options] <address...>',
    summary: 'make keys, certificates and configuration for one, three or five servers',
    load: () => import('./init.ts'),
  },
  check: {
    usage: '[options]',
    summary: 'ask the servers whether all is well, and what is known about their versions',
    load: () => import('./check.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet server init nats-1.example.org', 'a directory for one server'],
        ['bulkhead fleet server check', 'once it runs'],
      ),
    );
    addCommands(parent, parts);
  },
};
