/**
 * `bulkhead fleet trust reset TRUST`: root gives this host another trust, such as after all keys were lost. It follows
 * from nothing: only the file says who signs from now on.
 */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import type { JsonOption } from '../../../cli/shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
} from '../../../cli/shared/command.ts';
import { failWith, pathsFor, print, printJson } from '../../../cli/shared/output.ts';
import { fleetDirectoryOf } from '../../../host/paths.ts';
import { documentText } from '../../core/parse.ts';
import { readTrustFile } from '../../io/given-trust.ts';
import { HostStore } from '../../io/host-store.ts';
import { describeTrust, trustJson } from './describe-trust.ts';
import type { FleetTrustResetJson } from './json.ts';
import { whyUnconfirmed } from './why-unconfirmed.ts';
import { jsonOption } from '../shared-options.ts';

interface ResetOptions extends JsonOption {
  readonly yes?: boolean;
}

const action = 'reset the trust of the fleet';

async function reset(file: string, options: ResetOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const given = readTrustFile(file);
  if (!given.ok) return failWith(given.error);
  const store = new HostStore(fleetDirectoryOf(paths));
  const state = store.readState();
  if (!state.ok) return failWith(state.error);
  const { trust } = given.value;
  if (state.value === undefined) return failWith({ action, reason: 'this host is in no fleet' });
  const { fleet } = state.value;
  if (trust.fleet !== fleet)
    return failWith({ action, reason: `it is for the fleet "${trust.fleet}", not "${fleet}"` });
  const json: FleetTrustResetJson = { fleet, ...trustJson(trust) };
  if (options.json !== true) print(describeTrust(json));
  const unconfirmed = await whyUnconfirmed(options);
  if (unconfirmed !== undefined) return failWith(unconfirmed);
  const written = store.writeTrust({ given: randomUUID(), document: documentText(trust) });
  if (!written.ok) return failWith(written.error);
  if (options.json === true) printJson(json);
  else print('These people sign for this host from now on; what is in force stays');
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'trust.json of the fleet, which "bulkhead fleet publish" writes');
    command
      .option('--yes', 'the fingerprints have been compared')
      .addOption(jsonOption())
      .addHelpText(
        'after',
        examples([
          'bulkhead fleet trust reset trust.json',
          'after keys were lost, as root on each host',
        ]),
      )
      .action(run(reset));
  },
};
