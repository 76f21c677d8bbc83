/** `bulkhead app set`: a tenant defines an application of its own, or changes it. */
import type { Command } from 'commander';
import type { SetAppResponse } from '../../agent/api/api.ts';
import { appsPath, ownUid, responseOrReport, withAgent } from '../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { print } from '../../cli/shared/session.ts';
import type { OwnAppAttribute } from '../../policy/apps/own-apps.ts';

type SetOptions = Partial<Readonly<Record<OwnAppAttribute, string>>>;

async function set(name: string, options: SetOptions, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const query = { set: name, ...options };
    const answer = responseOrReport(
      await ask<SetAppResponse>(appsPath(ownUid() ?? '0'), query, 'POST'),
    );
    if (answer === undefined) return exitCodes.failed;
    print(
      answer.state === 'in force'
        ? `${name} is in force; to see its state: bulkhead app status`
        : `${name} is saved, but not in force yet; to see why: bulkhead app status`,
    );
    return exitCodes.done;
  });
}

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
