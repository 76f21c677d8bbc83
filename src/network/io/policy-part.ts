/** The network rules as part of a policy: what is undone when limits go. The agent puts them in force. */
import type { Problem } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { Policy } from '../../policy/policy.ts';
import { hostRules } from './host-rules.ts';
import { NetworkPrograms } from './programs/network-programs.ts';
import { restoreQdiscs } from './qdiscs/restore-qdiscs.ts';
import { reservePorts } from './reserved-ports.ts';

const waitMs = 10_000;

export const networkPolicy = {
  /** A policy without rules needs no agent to end them. */
  follow: (policy: Policy, paths: Paths): Promise<readonly Problem[]> =>
    hostRules(paths, policy) === undefined ? endNetwork(paths) : Promise.resolve([]),
  enforce: (policy: Policy, paths: Paths): readonly Problem[] => {
    const rules = hostRules(paths, policy);
    if (rules === undefined) return [];
    const loaded = NetworkPrograms.load(rules, paths);
    if (!loaded.ok) return [loaded.error];
    loaded.value[Symbol.dispose]();
    return [];
  },
  release: (paths: Paths): Promise<readonly Problem[]> => endNetwork(paths),
};

/** Ends the programs, and puts back what was changed on the host. */
export async function endNetwork(paths: Paths): Promise<readonly Problem[]> {
  const unloaded = NetworkPrograms.unload(paths);
  return [
    ...(unloaded.ok ? [] : [unloaded.error]),
    ...(await restoreQdiscs(paths, waitMs)),
    ...reservePorts(paths, []),
  ];
}
