/** Reads `fleet.xml`, and makes the plain policy of each host; whatever a host would refuse is reported here. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { capabilitiesOf } from '../../cli/capability.ts';
import { printError, showDiagnostics } from '../../cli/shared/output.ts';
import { parseFleet } from '../../policy/fleet/fleet-policy.ts';
import { FleetRenderer } from '../../policy/fleet/render.ts';
import { incidentWords } from '../../usage/incident-kinds.ts';
import { fleetFiles, readFleetPolicy } from '../io/directory/fleet-directory.ts';
import type { FleetNow } from '../io/release/next-release.ts';

/** Returns the policy of each host; undefined if something is wrong, which has been printed. */
export function hostsOfFleet(directory: string, command: Command): FleetNow | undefined {
  const text = readFleetPolicy(directory);
  if (!text.ok) {
    printError(text.error);
    return undefined;
  }
  const { fleet, diagnostics } = parseFleet(join(directory, fleetFiles.policy), text.value);
  showDiagnostics(diagnostics.list);
  if (fleet === undefined) return undefined;
  const renderer = new FleetRenderer(fleet);
  if (!areRight(renderer, command)) return undefined;
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

/** Checks one host of each group of hosts that have the same policy. */
function areRight(renderer: FleetRenderer, command: Command): boolean {
  const words = incidentWords(capabilitiesOf(command));
  for (const [host = ''] of renderer.groups()) {
    const parsed = renderer.parsed(host, words);
    if (parsed === undefined || !parsed.diagnostics.failed) continue;
    printError(`The policy of ${host} has mistakes:`);
    showDiagnostics(parsed.diagnostics.list);
    return false;
  }
  return true;
}
