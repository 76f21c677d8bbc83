/** `bulkhead harden`: kernel settings that a shared host should have. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options] [items...]',
    summary: 'set kernel protections now and at boot, after asking',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options] [items...]',
    summary: 'restore the values from before enable, after asking',
    load: () => import('./disable.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show each setting; exits with 3 if one that enable has set is not in force',
    load: () => import('./status.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead doctor --security', 'what is lacking, why it matters, what may break'],
        ['bulkhead harden enable --dry-run', 'what would change'],
        ['bulkhead harden enable', 'change it, after asking'],
        ['bulkhead harden enable userns-clone', 'one item, by name'],
        ['bulkhead harden disable', 'restore every setting'],
      ),
    );
    addCommands(parent, parts);
  },
};
