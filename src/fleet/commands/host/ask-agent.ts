/** Commands that ask the agent to change something about the fleet, and show the state afterwards. */
import type { Command } from 'commander';
import { callAgent, type Query } from '../../../agent/api/client.ts';
import type { FleetResponse } from '../../../agent/api/fleet-api.ts';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import { exitCodes, type CommandModule, type ExitCode } from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print, printJson, sayItWaits } from '../../../cli/shared/output.ts';
import { describeFleet } from './describe.ts';
import { jsonOption } from '../shared-options.ts';

/** Sends a change, and prints the state that it leads to. */
export async function changeFleet(
  change: 'keep' | 'back' | 'hold' | 'resume',
  query: Query,
  { json }: JsonOption,
  command: Command,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const asked = await callAgent<FleetResponse>(paths, `/v1/fleet/${change}`, query, {
    method: 'POST',
    onSlow: sayItWaits,
  });
  if (!asked.ok) return failWith(asked.error);
  if (json === true) printJson(asked.value);
  else print(describeFleet(asked.value));
  return exitCodes.done;
}

/** Returns a command without arguments that makes such a change. */
export const changeCommand = (change: 'keep' | 'back' | 'resume'): CommandModule => ({
  define(command, run) {
    command
      .addOption(jsonOption())
      .action(run((options: JsonOption, own: Command) => changeFleet(change, {}, options, own)));
  },
});
