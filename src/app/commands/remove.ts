/** `bulkhead app remove`: a tenant removes an application of its own. */
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

async function remove(name: string, _options: object, command: Command): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const path = appsPath(ownUid() ?? '0');
    const answer = responseOrReport(await ask<SetAppResponse>(path, { remove: name }, 'POST'));
    if (answer === undefined) return exitCodes.failed;
    print(answer.state === 'in force' ? `${name} is removed` : `${name} ends soon`);
    return exitCodes.done;
  });
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'the name of the application');
    command
      .addHelpText('after', examples(['bulkhead app remove blog', 'its log stays']))
      .action(run(remove));
  },
};
