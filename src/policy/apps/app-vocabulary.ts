/** The elements of applications, for the table of the vocabulary. */
import { optional, required, type ElementSpec } from '../elements/element-spec.ts';
import { appSockets } from './app.ts';

export const appElements: Readonly<Record<string, ElementSpec>> = {
  app: {
    summary:
      "A program of the tenant behind a web server (Node, Python, Ruby, …). systemd keeps its socket, and starts it with the first request, in the tenant's cgroup and jail; inside a site, in the site's.",
    attributes: {
      name: required('app', 'Its name, unique in the tenant.'),
      command: required(
        'command',
        'The command line, which the shell runs as the tenant. "$PORT" is where the program has to listen: a path, or with listen="tcp" a port.',
      ),
      directory: optional(
        'path',
        'The working directory; default: the home, or in the jail of a site the directory of the site.',
      ),
      listen: optional(
        appSockets,
        'How the program gets its socket: "port": it listens at the path in the variable PORT; "descriptor": it takes descriptor 3, as systemd passes sockets (LISTEN_FDS); "tcp": it listens at the TCP port in PORT, and reaches no other network; default: port.',
      ),
      socket: optional(
        'path',
        'The path below /run at which web servers connect, in a directory that only root can change; default: /run/bulkhead-app/UID/NAME.sock.',
      ),
      idle: optional(
        'idle',
        'The time without a connection after which it is stopped; "never": it runs always, from boot; default: 15min.',
      ),
      starts: optional(
        'count',
        'The number of starts in a minute, up to 100, above which it is not started for five minutes; default: 5.',
      ),
      environment: optional(
        'path',
        'A file with lines NAME=VALUE, which is read as the tenant when the program starts. Keep secrets there.',
      ),
    },
    children: ['env'],
    holdsLimits: false,
    repeats: true,
    example: '<app name="blog" command="node server.js" directory="/home/alice/blog"/>',
  },
  apps: {
    summary:
      'How many applications a tenant may define itself, with "bulkhead app set". Inherited from the nearest element that has it.',
    attributes: {
      max: required('apps', 'The most at once; 0: none. Without <apps> it may define none.'),
    },
    children: [],
    holdsLimits: false,
    repeats: false,
    example: '<apps max="3"/>',
  },
  env: {
    summary: 'A variable for an application. Every account of the host can read it.',
    attributes: {
      name: required('variable', 'Its name.'),
      value: required('line', 'Its value.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<env name="NODE_ENV" value="production"/>',
  },
};
