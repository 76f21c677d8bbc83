/** `bulkhead symlinks`: names by which a tenant reaches others' files. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  audit: {
    usage: '[options] [tenants...]',
    summary: "find links in tenants' homes that lead to others' files; changes nothing",
    load: () => import('./audit.ts'),
  },
  guard: {
    usage: '',
    summary: "have the kernel refuse web servers links to files that the link's owner does not own",
    load: () => import('./guard/guard.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead symlinks audit', "links that lead to others' files"],
        ['bulkhead symlinks guard status', 'whether links are refused, and how many were'],
        ['bulkhead symlinks guard enable', 'refuse them'],
      ),
    );
    addCommands(parent, parts);
  },
};
