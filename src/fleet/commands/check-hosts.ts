/** Checks what becomes of a fleet's policy on each host, with the accounts that it names. */
import { count } from '../../../packages/base/list.ts';
import type { Diagnostic } from '../../policy/diagnostic.ts';
import type { FleetPolicy } from '../../policy/fleet/fleet-policy.ts';
import type { FleetRenderer } from '../../policy/fleet/render.ts';
import { resolveElsewhere } from '../../policy/fleet/plan/resolve-elsewhere.ts';
import type { AlertWords } from '../../policy/settings.ts';

export interface HostsChecked {
  readonly diagnostics: readonly Diagnostic[];
  /** The number of different policies. */
  readonly policies: number;
}

/** Checks one host of each group that has the same policy. A mistake that several groups share is reported once. */
export function checkHosts(
  fleet: FleetPolicy,
  renderer: FleetRenderer,
  words: AlertWords,
): HostsChecked {
  const groups = renderer.groups();
  const found = new Map<string, { readonly diagnostic: Diagnostic; hosts: string[] }>();
  for (const hosts of groups) {
    const parsed = renderer.parsed(hosts[0] ?? '', words);
    if (parsed?.document !== undefined && !parsed.diagnostics.failed)
      resolveElsewhere(parsed.document);
    for (const diagnostic of parsed?.diagnostics.list ?? []) {
      const key = JSON.stringify(diagnostic);
      const known = found.get(key) ?? { diagnostic, hosts: [] };
      known.hosts.push(...hosts);
      found.set(key, known);
    }
  }
  const diagnostics = [...found.values()]
    .map(({ diagnostic, hosts }) => onHosts(diagnostic, hosts, fleet.hosts.length))
    .toSorted((a, b) => a.line - b.line || a.column - b.column);
  return { diagnostics, policies: groups.length };
}

/** Adds the hosts to a message that is not about all of them. */
function onHosts(diagnostic: Diagnostic, hosts: readonly string[], all: number): Diagnostic {
  if (hosts.length === all) return diagnostic;
  const more = hosts.length > 1 ? ` and ${count(hosts.length - 1, 'more host')}` : '';
  return { ...diagnostic, message: `${diagnostic.message} (on ${hosts[0]}${more})` };
}
