/** `bulkhead fleet trust`: who may sign. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  show: {
    usage: '[options]',
    summary: 'show who may sign, how many must, and a change that waits for signatures',
    load: () => import('./trust/show.ts'),
  },
  add: {
    usage: '[options] <name> <key>',
    summary: 'let a person sign, by the file of an SSH public key',
    load: () => import('./trust/add.ts'),
  },
  remove: {
    usage: '[options] <name>',
    summary: 'let a person no longer sign',
    load: () => import('./trust/remove.ts'),
  },
  threshold: {
    usage: '[options] <people>',
    summary: 'set how many people must sign',
    load: () => import('./trust/threshold.ts'),
  },
  renew: {
    usage: '[options]',
    summary: 'set a new time until which the trust is good',
    load: () => import('./trust/renew.ts'),
  },
  sign: {
    usage: '[options]',
    summary: 'sign the change that waits for signatures',
    load: () => import('./trust/sign.ts'),
  },
  reset: {
    usage: '[options] <trust>',
    summary: 'give this host another trust, such as after all keys were lost',
    load: () => import('./host/trust-reset.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet trust show', 'who may sign'],
        ['bulkhead fleet trust add bob@example.org bob.pub', 'he may sign too'],
        ['bulkhead fleet trust threshold 2', 'from now on two of them must'],
        ['bulkhead fleet trust sign', 'as another person, after "git pull"'],
      ),
    );
    addCommands(parent, parts);
  },
};
