/** Tries the programs in force, and looks at the host: how exactly each part of the rules is held. */
import { formatCause } from '../../../packages/base/problem.ts';
import { listSome } from '../../../packages/base/list.ts';
import type { Paths } from '../../host/paths.ts';
import { heldParts, type HeldPart } from '../core/held.ts';
import { formatPorts } from '../core/reserved-ports.ts';
import type { NetworkRules } from '../core/rules.ts';
import type { DeviceReport } from '../core/qdiscs/report.ts';
import { networkRefusalKinds, type NetworkUse } from '../core/use.ts';
import { hasSendLimit, keptPorts } from './host-rules.ts';
import { NetworkPrograms } from './programs/network-programs.ts';
import { readPacing } from './qdiscs/paced-devices.ts';
import { unreservedPorts } from './reserved-ports.ts';

export interface HostHeld {
  readonly isWanted: boolean;
  readonly isLoaded: boolean;
  readonly problem: string | null;
  readonly parts: readonly HeldPart[];
  readonly devices: readonly DeviceReport[];
  readonly tenants: number;
  /** The refusals of `<reach>` since the programs were loaded, also those that were only reported. */
  readonly reported: number;
  readonly remarks: readonly string[];
}

/** Returns why nothing can be relied on: the programs, or the rules that they have. */
function failureOf(programs: NetworkPrograms | undefined, rules: NetworkRules): string | undefined {
  if (programs === undefined)
    return 'no programs are loaded: the agent loads them, and its log says why it could not';
  if (!programs.have(rules))
    return 'the programs have other rules than this policy on this host: the agent follows within a minute, and its log says what it could not';
  const failed = programs.selfTest();
  return failed && formatCause(failed);
}

/** `rules`: undefined if the policy has none. As root only. */
export async function hostHeld(paths: Paths, rules: NetworkRules | undefined): Promise<HostHeld> {
  using programs = NetworkPrograms.open(paths);
  const isLoaded = programs !== undefined;
  const none = { isLoaded, parts: [], devices: [], tenants: 0, reported: 0, remarks: [] };
  if (rules === undefined) return { ...none, isWanted: false, problem: null };
  const failure = failureOf(programs, rules);
  const uses = [...(programs?.readUse().values() ?? [])];
  const pacing = hasSendLimit(rules) ? await readPacing(paths) : undefined;
  const unreserved = unreservedPorts(paths, keptPorts(rules));
  const parts = heldParts(rules, {
    failure,
    sending: pacing ?? { support: 'none', reason: '' },
    unreserved: unreserved && listSome(formatPorts(unreserved)),
  });
  return {
    isWanted: true,
    isLoaded,
    problem: failure ?? null,
    parts,
    devices: pacing?.devices ?? [],
    tenants: uses.length,
    reported: uses.reduce((sum, { refusals }) => sum + reachRefusals(refusals), 0),
    remarks: [
      ...(pacing?.remarks ?? []),
      ...(programs?.findSessions === false ? [noSessions] : []),
    ],
  };
}

const noSessions =
  'sessions of SSH and FTP are not counted and have no limit: this kernel does not run the program that finds their tenants (Linux 5.11)';

const reachRefusals = (refusals: NetworkUse['refusals']): number =>
  networkRefusalKinds
    .filter((kind) => kind.startsWith('reach.'))
    .reduce((sum, kind) => sum + refusals[kind], 0);
