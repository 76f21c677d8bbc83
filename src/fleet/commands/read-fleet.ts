/** Reads `fleet.xml` for commands about the policies of hosts. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { suggestion } from '../../policy/diagnostic.ts';
import { capabilitiesOf } from '../../cli/capability.ts';
import { failWith, printError, showDiagnostics } from '../../cli/shared/output.ts';
import type { PolicyDocument } from '../../policy/document.ts';
import { parseFleet, type FleetPolicy, type ParsedFleet } from '../../policy/fleet/fleet-policy.ts';
import { FleetRenderer } from '../../policy/fleet/render.ts';
import type { AlertWords } from '../../policy/settings.ts';
import { incidentWords } from '../../usage/incident-kinds.ts';
import { fleetFiles, readFleetPolicy } from '../io/directory/fleet-directory.ts';

/** The policy of a fleet, and of each host. */
export interface ReadFleet {
  readonly file: string;
  readonly fleet: FleetPolicy;
  readonly renderer: FleetRenderer;
  readonly words: AlertWords;
}

export interface ReadFleetText extends ParsedFleet {
  readonly file: string;
}

/** Reads and parses the file; undefined after the reason has been printed. */
export function readFleetText(directory: string): ReadFleetText | undefined {
  const text = readFleetPolicy(directory);
  if (!text.ok) {
    printError(text.error);
    return undefined;
  }
  const file = join(directory, fleetFiles.policy);
  return { file, ...parseFleet(file, text.value) };
}

export const wordsFor = (command: Command): AlertWords => incidentWords(capabilitiesOf(command));

/** Reads the policy of a fleet; undefined after its mistakes have been printed. */
export function fleetOrReport(directory: string, command: Command): ReadFleet | undefined {
  const read = readFleetText(directory);
  if (read === undefined) return undefined;
  const { file, fleet, diagnostics } = read;
  showDiagnostics(diagnostics.list);
  if (fleet === undefined) return undefined;
  return { file, fleet, renderer: new FleetRenderer(fleet), words: wordsFor(command) };
}

/** Returns the policy of a host; undefined after the reason has been printed: it has mistakes, or there is no such host. */
export function documentOrReport(
  { file, fleet, renderer, words }: ReadFleet,
  host: string,
  action: string,
): PolicyDocument | undefined {
  const parsed = renderer.parsed(host, words);
  if (parsed === undefined) {
    const names = fleet.hosts.map(({ name }) => name);
    failWith({
      action,
      object: host,
      reason: `it is not a host of ${file}${suggestion(host, names)}`,
    });
    return undefined;
  }
  if (parsed.document !== undefined && !parsed.diagnostics.failed) return parsed.document;
  showDiagnostics(parsed.diagnostics.list);
  return undefined;
}
