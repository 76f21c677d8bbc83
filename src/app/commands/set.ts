/** `bulkhead app set`: a tenant defines an application of its own, or changes it. */
import type { Command } from 'commander';
import { describeArgument, examples, type CommandModule } from '../../cli/shared/command.ts';
import type { OwnAppAttribute } from '../../policy/apps/own-apps.ts';
import { changeOwnApp } from './own-app.ts';

type SetOptions = Partial<Readonly<Record<OwnAppAttribute, string>>>;

const set = (name: string, options: SetOptions, command: Command) =>
  changeOwnApp(
    command,
    { set: name, ...options },
    {
      'in force': `${name} is in force; to see its state: bulkhead app status`,
      kept: `${name} is saved, but not in force yet; to see why: bulkhead app status`,
    },
  );

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'lower-case letters, digits and "-", at most 32');
    command
      .option('--command <line>', 'the command line, which your shell runs')
      .option('--directory <path>', 'the working directory; default: your home')
      .option(
        '--listen <how>',
        'port: at the path in PORT; descriptor: at descriptor 3; tcp: at the TCP port in PORT',
        'port',
      )
      .option(
        '--idle <time>',
        'stop after this time without a connection; "never" keeps it running',
        '15min',
      )
      .option('--environment <file>', 'a file with lines NAME=VALUE')
      .addHelpText(
        'after',
        examples(
          ['bulkhead app set blog --command "node server.js" --directory ~/blog', ''],
          [
            `bulkhead app set api --command 'venv/bin/uvicorn --uds "$PORT" app:app' --idle never`,
            '',
          ],
        ),
      )
      .action(run(set));
  },
};
