/** `bulkhead modules`: what each kernel module claims, uses and is worth. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  scan: {
    usage: '[options] [path...]',
    summary: 'what each module claims, what the loader would do, how far it can be believed',
    load: () => import('./scan.ts'),
  },
  explain: {
    usage: '[options] <module>',
    summary: 'one module in depth: what it uses, who uses it, what would happen, and why',
    load: () => import('./explain.ts'),
  },
  predict: {
    usage: '[options] <file...>',
    summary: 'what insmod would answer and log, one after the other, on a clean kernel',
    load: () => import('./predict.ts'),
  },
  match: {
    usage: '[options] [module...]',
    summary: 'whether the source that is offered for a module is its source',
    load: () => import('./match.ts'),
  },
  upgrade: {
    usage: '[options] [path...]',
    summary:
      'which modules would no longer load on another kernel, why, and what a rebuild would run into',
    load: () => import('./upgrade.ts'),
  },
  deny: {
    usage: '[options] <names...>',
    summary: 'keep modules from being loaded, through modprobe.d and the kernel command line',
    load: () => import('./deny.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead modules scan', 'all modules of the running kernel, the bad first'],
        ['bulkhead modules explain zfs', 'one of them in depth'],
        ['bulkhead modules match jool --source jool-dkms.deb', 'is this its source?'],
      ),
    );
    addCommands(parent, parts);
  },
};
