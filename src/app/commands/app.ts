/** `bulkhead app`: applications of tenants behind web servers. */
import { examples, type CommandModule } from '../../cli/shared/command.ts';
import { addCommands, type CommandTable } from '../../cli/shared/command-table.ts';

const parts: CommandTable = {
  status: {
    usage: '[options] [tenant]',
    summary: 'show the state of applications, and their sockets; exits with 3 if one is not served',
    load: () => import('./status.ts'),
  },
  set: {
    usage: '[options] <name>',
    summary: 'as a tenant: define or change an application of your own',
    load: () => import('./set.ts'),
  },
  remove: {
    usage: '<name>',
    summary: 'as a tenant: end and remove an application of your own',
    load: () => import('./remove.ts'),
  },
  enable: {
    usage: '[options] <app>',
    summary: 'let a disabled application run again',
    load: () => import('./enable.ts'),
  },
  disable: {
    usage: '[options] <app>',
    summary: 'end an application, and keep it out until "enable"',
    load: () => import('./disable.ts'),
  },
  restart: {
    usage: '[options] <app>',
    summary: 'start an application anew, also one in a crash loop',
    load: () => import('./restart.ts'),
  },
  log: {
    usage: '[options] <app>',
    summary: 'show what an application has printed',
    load: () => import('./log.ts'),
  },
  snippet: {
    usage: '[options] <server> <app>',
    summary: "print the lines with which a web server's vhost passes requests to an application",
    load: () => import('./snippet.ts'),
  },
};

export const command: CommandModule = {
  define(parent) {
    parent.addHelpText(
      'after',
      examples(
        ['bulkhead app status', 'with <app name="blog" command="node server.js"/> in the policy'],
        ['bulkhead app snippet nginx alice/blog', 'lines for the vhost'],
        ['bulkhead app log alice/blog', ''],
        ['bulkhead app restart alice/blog', ''],
        [
          'bulkhead app set blog --command "node server.js"',
          'as a tenant, where the policy has <apps max="3"/>',
        ],
      ),
    );
    addCommands(parent, parts);
  },
};
