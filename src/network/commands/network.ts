/** `bulkhead network`: what tenants send and receive, and whom they may talk to. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary: 'show how exactly the network rules of the policy are held on this host',
    load: () => import('./status.ts'),
  },
  test: {
    usage: '[options] <tenant> <host:port>',
    summary: 'show whether a tenant may connect there, and which line of the policy decides',
    load: () => import('./test.ts'),
  },
  connections: {
    usage: '[options] <tenant>',
    summary: 'show the connections of a tenant, and where it listens',
    load: () => import('./connections.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead network status', 'what is held fully, partly or not at all, and why'],
        ['bulkhead network test alice smtp.example.org:25', 'whether alice may send mail directly'],
      ),
    );
    addCommands(parent, parts);
  },
};
