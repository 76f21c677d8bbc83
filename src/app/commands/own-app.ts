/** The common part of `bulkhead app set` and `remove`: a tenant asks the agent to change an application of its own. */
import type { Command } from 'commander';
import type { SetAppResponse } from '../../agent/api/api.ts';
import type { Query } from '../../agent/api/client.ts';
import { appsPath, ownUid, responseOrReport, withAgent } from '../../cli/shared/agent-request.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { print } from '../../cli/shared/session.ts';

/** `said`: the line to print for each state of the change. */
export const changeOwnApp = (
  command: Command,
  query: Query,
  said: Readonly<Record<SetAppResponse['state'], string>>,
): Promise<ExitCode> =>
  withAgent(command, async (ask) => {
    const path = appsPath(ownUid() ?? '0');
    const answer = responseOrReport(await ask<SetAppResponse>(path, query, 'POST'));
    if (answer === undefined) return exitCodes.failed;
    print(said[answer.state]);
    return exitCodes.done;
  });
