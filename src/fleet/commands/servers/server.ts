/** `bulkhead fleet server`: the servers of NATS that carry a fleet's documents. */
import { examples, type CommandModule } from '../../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../../cli/shared/command-table.ts';

const parts: CommandTable = {
  init: {
    usage: '[options] <address...>',
    summary: 'make keys, certificates and configuration for one, three or five servers',
    load: () => import('./init.ts'),
  },
  add: {
    usage: '[options] <address...>',
    summary: 'make three servers of one',
    load: () => import('./add-servers.ts'),
  },
  check: {
    usage: '[options]',
    summary: 'ask the servers whether all is well, and what is known about their versions',
    load: () => import('./check.ts'),
  },
  run: {
    usage: '[options]',
    summary: 'be the centre: upload what is published, and collect what hosts tell',
    load: () => import('./run.ts'),
  },
  hosts: {
    usage: '[options]',
    summary: 'show what each host has told the centre',
    load: () => import('./hosts.ts'),
  },
  forget: {
    usage: '[options] <host>',
    summary: 'let a host that was installed anew sign with another key',
    load: () => import('./forget.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead fleet server init nats-1.example.org', 'a directory for one server'],
        ['bulkhead fleet server check', 'once it runs'],
      ),
    );
    addCommands(parent, parts);
  },
};
