/** `bulkhead console`: the console in the browser. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  enable: {
    usage: '[options]',
    summary: 'have systemd listen for browsers, now and at boot',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options]',
    summary: 'stop listening for browsers',
    load: () => import('./disable.ts'),
  },
  login: {
    usage: '[options]',
    summary: 'print a link that logs you in to the console once, within two minutes',
    load: () => import('./login.ts'),
  },
  sessions: {
    usage: '[options]',
    summary: 'list your sessions; as root, all of them',
    load: () => import('./sessions.ts'),
  },
  logins: {
    usage: '[options]',
    summary:
      'list who logged in, whose session was ended, and how many codes and tokens were refused',
    load: () => import('./logins.ts'),
  },
  end: {
    usage: '[options] [id]',
    summary: 'end a session, or all that "sessions" lists',
    load: () => import('./end.ts'),
  },
  status: {
    usage: '[options]',
    summary: 'show whether browsers can reach the console, and how many are logged in',
    load: () => import('./status.ts'),
  },
  serve: {
    usage: '[options]',
    summary: 'serve the console to browsers, without any rights; for a service manager',
    load: () => import('./serve.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead console login', 'as root or as a tenant'],
        ['bulkhead console login --as alice', 'as root, or as her reseller'],
        ['bulkhead console end --all', 'log everybody out'],
      ),
    );
    addCommands(parent, parts);
  },
};
