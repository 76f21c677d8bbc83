/**
 * `bulkhead fleet courier`: carries releases to this host's agent, and its status and events to the centre. It runs
 * without any rights, as `bulkhead-fleet.service`: the agent never opens a connection.
 */
import type { Command } from 'commander';
import { callAgent } from '../../agent/api/client.ts';
import type {
  FleetAnswerResponse,
  FleetOutboxResponse,
  FleetResponse,
} from '../../agent/api/fleet-api.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';
import type { AgentLink } from '../io/courier/agent-link.ts';
import { untilStopped } from './until-stopped.ts';

export const courierCredential = '/etc/bulkhead/fleet-courier.json';

interface CourierOptions {
  readonly credential: string;
}

async function courier({ credential: file }: CourierOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  // Only this command needs the client of NATS.
  const { readCredential } = await import('../io/nats/connect.ts');
  const { Courier } = await import('../io/courier/courier.ts');
  const { plainLog } = await import('../../agent/plain-log.ts');
  const credential = readCredential(file);
  if (!credential.ok) return failWith(credential.error);
  if (credential.value.role !== 'host')
    return failWith({
      action: 'use the credential',
      object: file,
      reason: 'it is not of a host',
      hint: '"bulkhead fleet host add" makes one',
    });
  const running = new Courier(credential.value, agentOf(paths), plainLog(process.env));
  await untilStopped((signal) => running.run(signal));
  return exitCodes.done;
}

const agentOf = (paths: Paths): AgentLink => ({
  outbox: (epoch, after) =>
    callAgent<FleetOutboxResponse>(paths, '/v1/fleet/outbox', { epoch, after }),
  answer: (question) => callAgent<FleetAnswerResponse>(paths, '/v1/fleet/answer', { question }),
  release: (body) =>
    callAgent<FleetResponse>(paths, '/v1/fleet/release', {}, { method: 'POST', body }),
  record: (body) =>
    callAgent<FleetResponse>(paths, '/v1/fleet/record', {}, { method: 'POST', body }),
});

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--credential <file>', 'the credential of this host', courierCredential)
      .addHelpText(
        'after',
        examples(['systemctl enable --now bulkhead-fleet', 'it runs from now on']),
      )
      .action(run(courier));
  },
};
