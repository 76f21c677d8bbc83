/** `bulkhead symlinks guard`: has the kernel refuse links to what their owners do not own. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options]',
    summary:
      "refuse symlinks to other owners' files, now and after each boot; --watch only reports them",
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: 'refuse no links until the guard is enabled again',
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'test the guard, and show whether it refuses; exits with 3 if it is not as wanted',
    load: () => import('./status.ts'),
  },
  sync: {
    usage: '[options]',
    summary: 'reconcile the kernel with the policy, as apply and each boot do',
    load: () => import('./sync.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        [
          'bulkhead symlinks guard enable --dry-run',
          'the users that it would restrict, and whether this kernel can',
        ],
        ['bulkhead symlinks guard enable --watch', 'only report, to learn what would be refused'],
        ['bulkhead symlinks guard enable', 'refuse from now on, and after each boot'],
        ['bulkhead symlinks guard status --json', 'whether it refuses, tested now'],
      ),
    );
    addCommands(parent, parts);
  },
};
