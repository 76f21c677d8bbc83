/**
 * `bulkhead exec TENANT -- CMD`: the entry script runs the launcher and no Node. This file serves
 * help and completion, and runs the launcher for callers that start the Node program directly.
 */
import type { Command } from 'commander';
import { entryFile } from '../../sys/package-files.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { pathsFor } from '../shared/session.ts';

const launcher = entryFile('bulkhead-exec');

/** The launcher's options; only the launcher parses them. */
const options: readonly (readonly [flags: string, description: string])[] = [
  ['--chdir <dir>', 'start in this directory (absolute), or not at all'],
  ['--site <name>', 'run inside the limits of this site of the tenant, too'],
  ['--keep-env <name>', 'pass this environment variable on (may be repeated)'],
  ['--keep-fds', 'pass file descriptors above 2 on, too, such as the sockets of a unit'],
  ['--allow-setuid', 'let setuid and setgid programs work, such as sendmail'],
  ['--app <name>', 'run an application behind the listening socket that is descriptor 3'],
  [
    '--app-descriptor',
    'the application takes a socket as descriptor 3, rather than a path in PORT',
  ],
  ['--app-idle <seconds>', 'end the application after so long without a connection'],
  ['--app-env <file>', 'set the variables in this file, which is read as the tenant'],
  ['--stay-in-slice', 'do not leave a unit that is in the slice of the tenant already'],
  ['--without-jail', "start it outside the tenant's jail"],
  ['--for-jail', 'the same for a process in the jail, with less that may be started'],
  [
    '--entry',
    'run only if fewer commands run in this way than the tenant, the site and the reseller have entries',
  ],
];

function exec(_words: readonly string[], _options: unknown, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  // The arguments as given: commander would remove "--" and the options that it knows.
  const first = process.argv[2] === '--instance' ? 4 : 2;
  const args = process.argv.slice(process.argv.indexOf(command.name(), first) + 1);
  // Available since Node 22.15; it does not return.
  process.execve?.(launcher, [launcher, '--instance', paths.instance, ...args], process.env);
  return exitCodes.failed;
}

export const command: CommandModule = {
  define(command, run) {
    command.usage('[options] TENANT -- CMD [ARG...]').allowUnknownOption();
    for (const [flags, description] of options) command.option(flags, description);
    command
      .addHelpText(
        'after',
        examples(
          ['bulkhead exec alice -- id', 'as alice, inside her limits'],
          ['bulkhead exec alice -- bash -l', 'a shell'],
          [
            'bulkhead exec --site shop.example alice -- php job.php',
            'inside the limits of a site, too',
          ],
        ),
      )
      .action(run(exec));
  },
};
