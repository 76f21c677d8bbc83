/** Reads `fleet.xml`, and makes the plain policy of each host; whatever a host would refuse is reported here. */
import type { Command } from 'commander';
import { showDiagnostics } from '../../cli/shared/output.ts';
import type { FleetNow } from '../io/release/next-release.ts';
import { checkHosts } from './check-hosts.ts';
import { fleetOrReport } from './read-fleet.ts';

/** Returns the policy of each host; undefined if something is wrong, which has been printed. */
export function hostsOfFleet(directory: string, command: Command): FleetNow | undefined {
  const read = fleetOrReport(directory, command);
  if (read === undefined) return undefined;
  const { fleet, renderer, words } = read;
  const { diagnostics } = checkHosts(fleet, renderer, words);
  showDiagnostics(diagnostics);
  if (diagnostics.some(({ severity }) => severity === 'error')) return undefined;
  const { name, watchSeconds, failed, silent } = fleet;
  const waves = new Map(fleet.hosts.map((host) => [host.name, host.wave]));
  return {
    name,
    gate: { watchSeconds, failed, silent },
    groups: renderer.groups().map((hosts) => ({
      policy: renderer.textOf(hosts[0] ?? '') ?? '',
      hosts: hosts.map((host) => ({ name: host, wave: waves.get(host) ?? 1 })),
    })),
  };
}
