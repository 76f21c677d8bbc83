/** The tenants of this host and their cgroups, according to the policy if there is one. */
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { placerTree } from '../../agent/placer/placer-hierarchies.ts';
import { isLocked } from '../../sys/files/flock.ts';
import { readHostFacts, readUidRange } from '../../host/accounts/accounts.ts';
import { AccountNames } from '../../host/accounts/account-names.ts';
import { agentLock, type Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { sliceTenant } from '../../plan/slice.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import type { Policy } from '../../policy/policy.ts';
import { namesPolicy } from '../../cli/shared/policy-option.ts';
import { loadPolicyOrReport } from '../../cli/shared/session.ts';
import { entryLimitsOf, type EntryLimits } from '../core/entries/limits.ts';
import { isInCgroup } from '../core/in-cgroup.ts';
import { siteLimitIndex, type SiteLimitIndex } from '../core/site-limits.ts';
import { readHeldSockets } from '../io/fpm/held-sockets.ts';
import { readSuexecState } from '../io/suexec/suexec-state.ts';
import type { TenantFacts } from '../io/survey.ts';

export interface KnownTenancy extends TenantFacts {
  /** Further remarks to print about it. */
  readonly remarks: readonly string[];
  /** The entries limits; empty if there is no policy. */
  readonly entryLimits: EntryLimits;
  readonly siteLimits: SiteLimitIndex;
}

/**
 * Returns nothing after the policy's errors have been printed. A host without a policy has no
 * errors.
 */
export async function tenancyOrReport(
  file: string,
  command: Command,
  paths: Paths,
): Promise<KnownTenancy | undefined> {
  if (!namesPolicy(command) && !existsSync(file)) return tenancyOf(paths, undefined);
  const loaded = await loadPolicyOrReport(command, file, paths);
  return loaded === undefined ? undefined : tenancyOf(paths, loaded.policy);
}

export function tenancyOf(paths: Paths, policy: Policy | undefined): KnownTenancy {
  const names = new AccountNames(paths);
  const { isTenant, remarks } = policy === undefined ? byRange(paths) : byPolicy(policy);
  return {
    proc: paths.proc,
    userOf: (uid) => names.namesOf(uid)[0],
    accounts: (named) => readHostFacts(paths, named).accounts,
    isTenant,
    isInside: insideCheck(paths, policy),
    agentRuns: isLocked(agentLock(paths)),
    heldFor: readHeldSockets(paths.instance),
    placesSuexec: readSuexecState(paths).state === 'enabled',
    remarks,
    entryLimits: policy === undefined ? new Map() : entryLimitsOf(policy),
    siteLimits: policy === undefined ? new Map() : siteLimitIndex(policy),
  };
}

type Tenants = Pick<KnownTenancy, 'isTenant' | 'remarks'>;

function byPolicy({ tenants }: Policy): Tenants {
  const uids = new Set(tenants.map(({ uid }) => uid));
  return { isTenant: (uid) => uids.has(uid), remarks: [] };
}

function byRange(paths: Paths): Tenants {
  const { first, last } = readUidRange(paths);
  return {
    isTenant: (uid) => uid >= first && uid <= last,
    remarks: [`There is no policy: uids from ${first} to ${last} are shown as tenants`],
  };
}

function insideCheck(paths: Paths, policy: Policy | undefined): TenantFacts['isInside'] {
  const driver = probeDriver(paths, policy?.driver);
  if (policy === undefined || !driver.ok) return () => undefined;
  const { hierarchies, slices } = driver.value.tree;
  const roots = placerTree(paths, driver.value.tree).hierarchies;
  // A slice has a cgroup only while something runs in it.
  const isKept = (cgroup: string) => slices !== undefined && sliceTenant(cgroup) !== undefined;
  const cgroups = new Map(
    policy.tenants
      .map((each) => [each.uid, tenantCgroup(each)] as const)
      .filter(
        ([, cgroup]) => isKept(cgroup) || hierarchies.every(({ files }) => files.exists(cgroup)),
      ),
  );
  return (uid, text) => {
    const cgroup = cgroups.get(uid);
    return cgroup === undefined ? undefined : isInCgroup(text, roots, cgroup);
  };
}
