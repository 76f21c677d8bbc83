/** `bulkhead digest`: regular mail to customers and resellers. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  preview: {
    usage: '[options] <name>',
    summary: 'print the message that a customer or reseller would get now; sends nothing',
    load: () => import('./preview.ts'),
  },
  send: {
    usage: '[options]',
    summary: 'send the messages that are due; the agent does so every ten minutes',
    load: () => import('./send.ts'),
  },
  set: {
    usage: '[options]',
    summary: 'as a customer or reseller: choose when your own digest reports something',
    load: () => import('./set.ts'),
  },
  texts: {
    usage: '[language]',
    summary: 'print the built-in texts, to change or translate',
    load: () => import('./texts.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead digest preview alice', 'what she would get'],
        ['bulkhead digest set --every off', 'as a customer, if the policy allows it'],
        ['bulkhead digest texts de', 'the German texts'],
      ),
    );
    addCommands(parent, parts);
  },
};
