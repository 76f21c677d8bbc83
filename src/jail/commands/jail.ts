/** `bulkhead jail`: shows, enters and compares tenants' jails. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options]',
    summary:
      'list the jails: which are ready, and which processes are inside, outside, or in an older jail',
    load: () => import('./status.ts'),
  },
  show: {
    usage: '[options] <tenant>',
    summary: 'show what is in the jail of a tenant, and the line that gives it one',
    load: () => import('./show.ts'),
  },
  enter: {
    usage: '[options] <tenant> [words...]',
    summary: 'run a shell, or a command, in the jail of a tenant; builds it if it is not there',
    load: () => import('./enter.ts'),
  },
  diff: {
    usage: '[options] <tenant>',
    summary: 'compare what a tenant sees with what the host has',
    load: () => import('./diff.ts'),
  },
  sync: {
    usage: '[options]',
    summary: 'build missing jails, and update their copies of /etc',
    load: () => import('./sync.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead jail status', 'all jails, and who is inside'],
        ['bulkhead jail diff alice', 'what alice does not see of the host'],
        ['bulkhead jail enter alice', 'see it as alice does'],
      ),
    );
    addCommands(parent, parts);
  },
};
