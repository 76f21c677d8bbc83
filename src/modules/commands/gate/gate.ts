/** `bulkhead modules gate`: lets only modules load that the policy accepts. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  on: {
    usage: '[options]',
    summary: 'refuse every module that is not on the list of its kernel',
    load: () => import('./on.ts'),
  },
  watch: {
    usage: '[options]',
    summary: 'let every module load, and report those that are not on the list',
    load: () => import('./watch.ts'),
  },
  off: {
    usage: '[options]',
    summary: 'let every module load',
    load: () => import('./off.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show whether the gate is on, what is on the list, and what it does not stop',
    load: () => import('./status.ts'),
  },
  update: {
    usage: '[options] [release...]',
    summary: 'make the lists again, from a scan and the policy',
    load: () => import('./update.ts'),
  },
  restore: {
    usage: '',
    summary: 'load the list again at boot, as it was before',
    load: () => import('./restore.ts'),
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
        ['bulkhead modules gate watch', 'first see what it would refuse'],
        ['bulkhead modules gate on', 'then refuse it, after each boot too'],
        ['bulkhead modules gate why zfs', ''],
      ),
    );
    addCommands(parent, parts);
  },
};
