/** `bulkhead confine`: sandboxes of daemons, as drop-ins of their units. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options] <service>',
    summary: 'sandbox a daemon and restart it, after asking',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options] <service>',
    summary: 'remove the sandbox of a daemon and restart it, after asking',
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show whether each sandbox is in force; exits with 3 if one is not',
    load: () => import('./status.ts'),
  },
  list: {
    usage: '[options]',
    summary: 'show which daemons are installed, whether they are confined, and how exposed',
    load: () => import('./list.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead confine list', 'what is installed, and how exposed'],
        ['bulkhead confine enable nginx --dry-run', 'what nginx could still do, and why'],
        [
          'bulkhead confine enable nginx',
          'confine it, after asking; undone if it does not come up',
        ],
        ['bulkhead confine disable nginx', 'remove the sandbox'],
      ),
    );
    addCommands(parent, parts);
  },
};
