/** The elements of applications, for the table of the vocabulary. */
import { appSockets } from './app.ts';

const attribute = <const Kind>(kind: Kind, required: boolean, summary: string) => ({
  kind,
  required,
  summary,
});

export const appElements = {
  app: {
    summary:
      "A program of the tenant behind a web server (Node, Python, Ruby, …). systemd keeps its socket, and starts it with the first request, in the tenant's cgroup and jail; inside a site, in the site's.",
    attributes: {
      name: attribute('app', true, 'Its name, unique in the tenant.'),
      command: attribute(
        'command',
        true,
        'The command line, which the shell runs as the tenant. "$PORT" is the path at which the program has to listen.',
      ),
      directory: attribute(
        'path',
        false,
        'The working directory; default: the home, or in the jail of a site the directory of the site.',
      ),
      listen: attribute(
        appSockets,
        false,
        'How the program gets its socket: "port": it listens at the path in the variable PORT; "descriptor": it takes descriptor 3, as systemd passes sockets (LISTEN_FDS); default: port.',
      ),
      socket: attribute(
        'path',
        false,
        'The path below /run at which web servers connect, in a directory that only root can change; default: /run/bulkhead-app/UID/NAME.sock.',
      ),
      idle: attribute(
        'idle',
        false,
        'The time without a connection after which it is stopped; "never": it runs always, from boot; default: 15min.',
      ),
      starts: attribute(
        'count',
        false,
        'The number of starts in a minute, up to 100, above which it is not started for five minutes; default: 5.',
      ),
      environment: attribute(
        'path',
        false,
        'A file with lines NAME=VALUE, which is read as the tenant when the program starts. Keep secrets there.',
      ),
    },
    children: ['env'],
    holdsLimits: false,
    repeats: true,
    example: '<app name="blog" command="node server.js" directory="/home/alice/blog"/>',
  },
  env: {
    summary: 'A variable for an application. Every account of the host can read it.',
    attributes: {
      name: attribute('variable', true, 'Its name.'),
      value: attribute('line', true, 'Its value.'),
    },
    children: [],
    holdsLimits: false,
    repeats: true,
    example: '<env name="NODE_ENV" value="production"/>',
  },
} as const;
