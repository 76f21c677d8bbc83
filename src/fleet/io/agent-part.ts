/** The agent's part that keeps this host in its fleet. */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import { fleetDirectoryOf, type Paths } from '../../host/paths.ts';
import { FleetHost } from './fleet-host.ts';

export function fleetPart(paths: Paths, log: Log): AgentPart {
  const fleet = new FleetHost(paths, log, fleetDirectoryOf(paths));
  return {
    fleet,
    adopt: ({ fleet: settings }) => fleet.adopt(settings),
    takeAlarms: () => fleet.takeAlarms(),
    [Symbol.asyncDispose]: () => {
      fleet.stop();
      return Promise.resolve();
    },
  };
}
