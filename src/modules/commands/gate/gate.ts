/** `bulkhead modules gate`: lets only modules load that the policy accepts. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options]',
    summary: 'refuse every module that is not on the list of its kernel; --watch only reports it',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: 'let every module load',
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show whether the gate is on, what is on the list, and what it does not stop',
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options] [release...]',
    summary: 'judge the modules again and load the list; --saved loads the saved list',
    load: () => import('./sync.ts'),
  },
  why: {
    usage: '[options] <module>',
    summary: 'explain why a module may load or not',
    load: () => import('./why.ts'),
  },
  signatures: {
    usage: '[options]',
    summary: 'make the kernel refuse modules without a signature, until the next boot',
    load: () => import('./signatures.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead modules gate enable --watch', 'first see what it would refuse'],
        ['bulkhead modules gate enable', 'then refuse it, after each boot too'],
        ['bulkhead modules gate why zfs', ''],
      ),
    );
    addCommands(parent, parts);
  },
};
