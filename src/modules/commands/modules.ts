/** `bulkhead modules`: audits kernel modules. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  scan: {
    usage: '[options] [path...]',
    summary: 'scan modules: what each claims, what the loader would do, how far to trust it',
    load: () => import('./scan.ts'),
  },
  explain: {
    usage: '[options] <module>',
    summary: 'explain one module: what it uses, what uses it, what loading it would do, and why',
    load: () => import('./explain.ts'),
  },
  predict: {
    usage: '[options] <file...>',
    summary: 'predict what insmod would return and the kernel would log',
    load: () => import('./predict.ts'),
  },
  match: {
    usage: '[options] [module...]',
    summary: 'check whether the offered source of a module is its source',
    load: () => import('./match.ts'),
  },
  upgrade: {
    usage: '[options] [path...]',
    summary:
      'show which modules would no longer load on another kernel, and what a rebuild must change',
    load: () => import('./upgrade.ts'),
  },
  deny: {
    usage: '[options] <names...>',
    summary: 'prevent modules from loading, through modprobe.d and the kernel command line',
    load: () => import('./deny/deny.ts'),
  },
  allow: {
    usage: '[options] <names...>',
    summary: 'let denied modules load again',
    load: () => import('./deny/allow.ts'),
  },
  gate: {
    usage: '',
    summary: 'let only modules load that the policy accepts',
    load: () => import('./gate/gate.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead modules scan', 'all modules of the running kernel, the worst first'],
        ['bulkhead modules explain zfs', 'one of them in detail'],
        ['bulkhead modules match jool --source jool-dkms.deb', 'is this its source?'],
      ),
    );
    addCommands(parent, parts);
  },
};
