/** `bulkhead symlinks`: links that lead to what others own. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  guard: {
    usage: '[options] <what>',
    summary: "have the kernel refuse web servers links to what the link's owner does not own",
    load: () => import('./guard.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead symlinks guard status', 'whether links are refused, and how many were'],
        ['bulkhead symlinks guard on', 'refuse them'],
      ),
    );
    addCommands(parent, parts);
  },
};
