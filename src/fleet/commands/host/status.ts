/** `bulkhead fleet status`: the state of this host in its fleet. */
import type { Command } from 'commander';
import { callAgent } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print, printJson, sayItWaits } from '../../../cli/shared/output.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import { describeFleet } from './describe.ts';
import type { FleetStatusJson } from './json.ts';
import { jsonOption } from '../shared-options.ts';

async function status({ json }: JsonOption, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const asked = await callAgent<FleetResponse>(paths, '/v1/fleet', {}, { onSlow: sayItWaits });
  if (!asked.ok) return failWith(asked.error);
  if (json === true) printJson(asked.value satisfies FleetStatusJson);
  else print(describeFleet(asked.value));
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples(['bulkhead fleet status', 'which generation is in force, and how it does']),
      )
      .action(run(status));
  },
};
